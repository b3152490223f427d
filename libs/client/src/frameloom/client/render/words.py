"""How far a pipeline is, in words that every display shares."""

from __future__ import annotations

from frameloom.client.tracking import PipelineView


def frames(view: PipelineView) -> str:
    """Frames done, if any."""
    return f"{view.frames:,} frames" if view.frames else ""


def speed(view: PipelineView) -> str:
    """As a multiple of real time, if known."""
    return f"{view.speed:.1f}× real time" if view.speed else ""
