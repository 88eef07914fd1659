"""Says what is known of the machine, and whether it is fit for measuring."""
