"""Keeps the record of a run: its lines, the file that holds them, and the check that they follow from each other."""
