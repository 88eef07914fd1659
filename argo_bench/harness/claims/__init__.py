"""A claim, how a sentence is read as one, and the verdict that an interval gives it."""
