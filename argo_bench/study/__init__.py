"""Thirty questions about fifteen edits of the pipeline: how they are put to the harness."""
