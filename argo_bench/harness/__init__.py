"""Measures which of two arms is better, and how sure that is; nothing here knows what the arms compute."""
