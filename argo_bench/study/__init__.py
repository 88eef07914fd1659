"""The study puts thirty questions about fifteen edits of the pipeline to the harness."""
