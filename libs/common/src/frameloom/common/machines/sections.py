"""Which part of a job's configuration is whose. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

EVERYWHERE = ("pps",)
"""Keys of the top level that reach every pipeline, also one with a section of its own."""


def config_of(config: dict[str, Any], pipeline: str, selected: Sequence[str]) -> dict[str, Any]:
    """A pipeline's part of a job's configuration: the section of its name, else the whole.

    The whole is meant only when no section names a selected pipeline, as VideoAnnotator reads it. Beside
    sections, ``pps`` of the top level reaches every pipeline that does not set it itself.
    """
    if not has_sections(config, selected):
        return config
    section = config.get(pipeline, {})
    everywhere = {key: config[key] for key in EVERYWHERE if key in config}
    return {**everywhere, **(section if isinstance(section, dict) else {})}


def has_sections(config: Mapping[str, Any], selected: Sequence[str]) -> bool:
    """Whether a configuration is divided by pipeline, rather than meant for each as a whole."""
    return any(name in config for name in selected)
