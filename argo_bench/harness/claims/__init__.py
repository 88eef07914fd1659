"""Defines a claim, reads a sentence as one, and says which verdict an interval gives it."""
