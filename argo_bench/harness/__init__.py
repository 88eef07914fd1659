"""Measures, checks and judges. The pipeline half of the package never imports this half."""
