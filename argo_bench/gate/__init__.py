"""A gate for changes: benchmarks of one revision against those of another, and the three answers it can give."""
