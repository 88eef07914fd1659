"""The processes that call what is measured, and what is said to them."""
