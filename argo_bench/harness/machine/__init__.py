"""The machine: what is known of it, and whether it is fit for measuring."""
