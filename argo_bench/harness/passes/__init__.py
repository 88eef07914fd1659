"""What is found out before anything is timed, a module a pass; each is a function of the run's state.

Everything found is on disk before the next thing begins. An arm that raises is recorded as failed; the others go on.
"""
