"""What media the gate lets through, and what clients may take for sending them."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class UploadSettings(BaseSettings):
    """What media the upload gate lets through, and what clients may take for sending them."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_UPLOAD_", frozen=True)

    held_bytes: int = Field(default=256 * 1024, ge=0)
    """A file that is no larger waits in memory until it has been examined; a larger one in quarantine"""
    max_duration_seconds: float = Field(default=24 * 3600.0, gt=0)
    """Longest media"""
    max_pixels: int = Field(default=8192 * 4352, ge=1)
    """Largest picture, width times height; the default is 8K"""
    max_fps: float = Field(default=1000.0, gt=0)
    """Highest frame rate; the default lets high-speed cameras through"""
    max_streams: int = Field(default=32, ge=1)
    """Most streams in one file, of any kind"""
    max_bit_depth: int = Field(default=16, ge=8)
    """Most bits of a colour component"""
    max_probe_bytes: int = Field(default=256 * 1024**2, ge=1024)
    """How much of a file is read to judge it. The index of an MP4 is read whole: a day of video has 100 MB"""

    probe_timeout_seconds: float = Field(default=20.0, gt=0)
    """How long the examination of a file may take, without the time that the object store takes"""
    probe_cpu_seconds: int = Field(default=10, ge=1)
    """Processor time of the examination of one file"""
    probe_memory_bytes: int = Field(default=1024**3, ge=64 * 1024**2)
    """Memory of the examination of one file"""
    max_concurrent_probes: int = Field(default=4, ge=1)
    """Files that are examined at once, each in a process of its own; further ones wait"""

    min_bytes_per_second: float = Field(default=4096.0, ge=0)
    """A client that sends more slowly than this, on average since its upload began, is told to come back with
    a better connection (408). 0: as slowly as it likes"""
    grace_seconds: float = Field(default=30.0, ge=0)
    """How long a client may be slower than that at the beginning"""
    max_seconds: float = Field(default=6 * 3600.0, gt=0)
    """Longest time for one upload; what takes longer is better sent in parts"""
    max_concurrent_per_key: int = Field(default=8, ge=1)
    """Uploads of one key at once at each gateway; further ones wait, so that no key holds all places"""
