"""Makes the consoles on which reports are shown: what they are given is text, and never commands the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from argo_bench.controls import spell_controls


class PlainConsole(Console):
    """Spells out control characters in whatever it shows. What rich itself adds, such as colours, is no such text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=spell_controls(segment.text))
