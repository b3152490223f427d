"""Media time as subtitles write it."""

from __future__ import annotations


def clock(seconds: float, separator: str) -> str:
    """``HH:MM:SS.mmm``, always with hours: some readers want them."""
    milliseconds = max(0, round(seconds * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{separator}{rest % 1000:03d}"
