"""The explanation of a decision is remembered here by what it means; its figures are always the decision's own."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Hashable
from typing import Literal, NamedTuple

from argo_bench.pipeline.baseline.reason import prompt, template
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import Decision, ProviderError, Reasoning, Stage, World
from argo_bench.pipeline.optimized.store import LateTexts
from argo_bench.pipeline.record import settle
from argo_bench.pipeline.world.content import MODELS

TTL_S = 3600.0
"""How long a rationale is served, an hour: an older one speaks of another market."""

CONFIDENCE_BAND = 5.0
"""The width of a band of confidence, in points of 100, within
which a text may call it high or low in the same words."""

FIGURES = ("entry", "stop", "target", "confidence")
BLANK = Decision("", "", "LONG", 0.0, 0.0, 0.0, 0.0, "UNKNOWN", "", (), 0.0, 0.0)
SCHEMA = f"1:{MODELS['explanation']}:{prompt(BLANK)}"
"""Names the model and the prompt, so that rationales of another model or of another wording are never served."""


class Rationale(NamedTuple):
    """Holds a text that was taken apart: words at the even places
    of ``parts``, names of the figures to fill in at the odd ones.

    ``written_at`` is when the text arrived, in seconds since the epoch. ``only_for`` is the id of the one signal that a
    text may be served for when it could not be taken apart.
    """

    parts: tuple[str, ...]
    author: Literal["model", "template"]
    written_at: float
    only_for: str = ""

    def fill_in(self, decision: Decision) -> str:
        return "".join(str(getattr(decision, part)) if place % 2 else part for place, part in enumerate(self.parts))


def take_apart(text: str, decision: Decision) -> tuple[str, ...] | None:
    """Take a text about a decision apart; None where a number in it is not certainly one figure of the decision.

    Figures are found as the prompt writes them: a text that says $100.00 for 100.0 cannot be taken apart.
    """
    names = {str(getattr(decision, name)): name for name in FIGURES}
    if len(names) < len(FIGURES) or any(figure in decision.symbol for figure in names):
        return None
    pieces = re.split(rf"(?<![\w.,])({'|'.join(map(re.escape, names))})(?!\w|[.,]\d)", text)
    words = " ".join(pieces[::2]).replace(decision.symbol, "")
    if any(character.isnumeric() for character in words):
        return None
    return tuple(names[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def meaning(decision: Decision) -> Hashable:
    """Return what the words of an explanation depend on. Its figures are not part of it, since they are filled in."""
    band = int(decision.confidence // CONFIDENCE_BAND)
    return decision.symbol, decision.direction, decision.regime, decision.sources, band


class TakingApart:
    """Wraps a reason stage so that its explanations come as rationales."""

    def __init__(self, reason: Stage) -> None:
        self.__wrapped__ = reason

    async def __call__(self, world: World, decision: Decision) -> Rationale:
        reasoning: Reasoning = await settle(self.__wrapped__(world, decision))
        parts = take_apart(reasoning.text, decision) if reasoning.author == "model" else None
        if parts is None:
            return Rationale((reasoning.text,), reasoning.author, world.now(), only_for=decision.signal_id)
        return Rationale(parts, reasoning.author, world.now())


class Remembered:
    """Wraps a reason stage so that it asks once for every meaning, and fills in the figures of the decision at hand.

    A text that cannot be filled in is not kept, and neither is a template. ``ages_s`` counts the texts served by their
    age in seconds since the model wrote them.
    """

    def __init__(self, reason: Stage) -> None:
        self.__wrapped__ = Memo(
            TakingApart(reason),
            meaning,
            ttl_s=TTL_S,
            maxsize=16_384,
            disk=True,
            schema=SCHEMA,
            keep=lambda rationale: not rationale.only_for,
        )
        self.ages_s: Counter[int] = Counter()

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        return self._serve(world, decision, await self._rationale(world, decision))

    async def _rationale(self, world: World, decision: Decision) -> Rationale:
        rationale: Rationale = await settle(self.__wrapped__(world, decision))
        if rationale.only_for and rationale.only_for != decision.signal_id:
            # The answer that this decision waited for turned out to fit only another decision of the same meaning.
            rationale = await settle(self.__wrapped__.__wrapped__(world, decision))
        return rationale

    def _serve(self, world: World, decision: Decision, rationale: Rationale) -> Reasoning:
        self.ages_s[int(world.now() - rationale.written_at)] += 1
        return Reasoning(rationale.fill_in(decision), rationale.author)


class AnsweredAtOnce(Remembered):
    """Remembers like ``Remembered``, but never waits for the model:
    what is not remembered is answered with a marked template.

    The question is asked in the background. Its answer is handed to ``rows`` for the signal's own row, and remembered
    for later cycles; where the model fails, the template stays. Closing the world waits for it. ``late_s`` counts the
    texts that came late by the seconds, to a tenth, from the template to the text.
    """

    def __init__(self, reason: Stage, rows: LateTexts) -> None:
        super().__init__(reason)
        self.late_s: Counter[float] = Counter()
        self._rows = rows
        self._following: set[asyncio.Task[None]] = set()
        self._waited_for_in: World | None = None

    def at_hand(self, world: World, decision: Decision) -> Reasoning | None:
        """Return the explanation where the process remembers one, and None where the model would be asked."""
        remembered = self.__wrapped__.at_hand(world, decision)
        return None if remembered is None else self._serve(world, decision, remembered.value)

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        asking = asyncio.ensure_future(self._rationale(world, decision))
        await asyncio.sleep(0)  # one turn of the loop serves what is remembered and sends the question otherwise
        if asking.done():
            return self._serve(world, decision, asking.result())
        self._rows.expect(decision)
        following = asyncio.ensure_future(self._hand_over(world, decision, asking))
        self._following.add(following)
        following.add_done_callback(self._following.discard)
        if self._waited_for_in is not world:
            self._waited_for_in = world
            world.resources.push_async_callback(self._wait_for_answers)
        return Reasoning(template(decision), "template")

    async def _hand_over(self, world: World, decision: Decision, asking: asyncio.Task[Rationale]) -> None:
        began = world.now()
        rationale = await asking
        if rationale.author == "model":
            self.late_s[round(world.now() - began, 1)] += 1
            self._rows.take(world, decision, rationale.fill_in(decision))

    async def _wait_for_answers(self) -> None:
        self._waited_for_in = None
        await asyncio.gather(*self._following)


async def reason(world: World, decision: Decision) -> Reasoning:
    """Explain as ``baseline/reason.py`` does, but let other tasks run while the model answers."""
    try:
        return Reasoning(await world.ask(decision.symbol, prompt(decision)), "model")
    except ProviderError:
        return Reasoning(template(decision), "template")
