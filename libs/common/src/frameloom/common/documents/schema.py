"""The version of the documents."""

from __future__ import annotations

SCHEMA_VERSION = "1"
"""Raised when a document changes so that older code would read it wrongly; a new field does not count."""
