"""Finds out what must be known before anything is timed; each module is one pass, a function of the run's state.

Everything found is on disk before the next thing begins. An arm that raises is recorded as failed; the others go on.
"""
