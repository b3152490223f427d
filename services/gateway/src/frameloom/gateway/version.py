"""Which API this is."""

from __future__ import annotations

FOLLOWED_VERSION = "1.4.4"
"""The VideoAnnotator release whose behaviour the API follows."""
