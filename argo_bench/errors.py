"""Defines the one exception that stands for a mistake of the user's."""


class UserError(Exception):
    """Stands for a mistake that the user can mend.

    Its text is one sentence: what was expected, what was found, and the way out.
    """
