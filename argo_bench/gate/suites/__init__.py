"""Takes the benchmarks that a repository has already: what finds them, and what runs them inside an environment.

The files whose names end in ``_inside`` run in workers: they use the standard library and their suite's package alone.
"""
