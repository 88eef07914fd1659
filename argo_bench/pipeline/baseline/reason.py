"""The language model is asked here to explain a decision, and the pipeline waits for the answer."""

from __future__ import annotations

from argo_bench.pipeline.model import Decision, ProviderError, Reasoning, World


def reason(world: World, decision: Decision) -> Reasoning:
    """Return the model's text, or a template marked as such when the model fails."""
    try:
        return Reasoning(world.ask(decision.symbol, prompt(decision)).result(), "model")
    except ProviderError:
        return Reasoning(template(decision), "template")


def prompt(decision: Decision) -> str:
    """Write the prompt: everything that the explanation may speak of, one field a line."""
    return "\n".join(
        (
            "Explain this trading signal in at most three sentences (200 tokens).",
            f"symbol: {decision.symbol}",
            f"direction: {decision.direction}",
            f"entry: {decision.entry}",
            f"stop: {decision.stop}",
            f"target: {decision.target}",
            f"confidence: {decision.confidence}",
            f"regime: {decision.regime}",
            "sources: " + ", ".join(f"{name} {direction}" for name, direction in decision.sources),
        )
    )


def template(decision: Decision) -> str:
    return (
        f"{decision.direction} {decision.symbol} at {decision.entry}, stop {decision.stop}, target {decision.target}, "
        f"confidence {decision.confidence} ({decision.regime})."
    )
