"""From samples to estimates, and when there are enough of them."""
