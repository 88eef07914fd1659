"""Says whether a variant still computes the same thing: on named cases, on markets, and while providers fail.

``differences`` compares two values, ``cases`` are the inputs, ``trace`` and ``failures`` walk whole cycles, ``check``
puts what they found into lines of the record, and ``questions`` are what a worker is asked.
"""
