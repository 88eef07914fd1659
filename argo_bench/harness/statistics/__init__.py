"""Turns samples into estimates, and says when there are enough of them."""
