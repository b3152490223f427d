"""What is known of a media file since it was examined."""

from __future__ import annotations

from frameloom.common.documents.base import Part


class MediaFacts(Part):
    """What the probe of an upload saw. Of several streams of a kind, the one that a player would choose."""

    container: str
    """FFmpeg's name of the demuxer."""
    duration_seconds: float | None = None
    """None where neither the container nor its streams tell, as in live recordings."""
    has_video: bool = False
    """A moving picture, or a single frame of one; cover pictures of music do not count."""
    has_audio: bool = False
    video_codec: str | None = None
    audio_codec: str | None = None
    width: int | None = None
    """Of the stored picture, in pixels; a rotation is not applied."""
    height: int | None = None
    fps: float | None = None
    """Average frame rate, where the container tells one."""
