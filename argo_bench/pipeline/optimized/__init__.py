"""The same parts as ``baseline``, file for file; ``diff -r`` of the two folders shows what optimizing means.

A part that keeps state is a function that builds it, since state belongs to the built pipeline: the optimizations in
``optimizations/`` wire these parts in.
"""
