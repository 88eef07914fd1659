"""The one exception that stands for a mistake of the user's."""


class UserError(Exception):
    """A mistake that the user can mend: one sentence with what was expected, what was found and the way out."""
