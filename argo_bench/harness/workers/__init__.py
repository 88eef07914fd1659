"""Calls what is measured in processes of its own, and defines what is said to them."""
