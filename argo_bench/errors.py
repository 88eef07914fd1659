"""Defines the exceptions that say something to the user: a mistake of theirs, and their own Ctrl-C."""

from .controls import spell_controls


class ShownAsSentence:
    """Has IPython and Jupyter show an exception as its sentence, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [spell_controls(f"{type(self).__name__}: {self}")]


class UserError(ShownAsSentence, Exception):
    """Stands for a mistake that the user can mend.

    Its text is one sentence: what was expected, what was found, and the way out.
    """
