"""Lists the formats of other tools in which outcomes of a gate or a run are written, a module each.

A module has a ``render``, which takes Results and returns the texts of its files by their names.
"""

FORMATS = ("github", "junit", "pytest-benchmark", "pyperf")
