"""This package has the same parts as ``baseline``, file for file; ``diff -r`` of both shows what optimizing means.

A part that keeps state is a function or class that builds it, since state belongs to the built pipeline: the
optimizations in ``optimizations/`` wire these parts in.
"""
