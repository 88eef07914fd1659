"""Measures a run on several hosts: what one unit is, which units are due, and how they are sent and recorded."""
