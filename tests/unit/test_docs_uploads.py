"""The page about uploads names what the gate refuses, and the limits as they are."""

from __future__ import annotations

from pathlib import Path

from frameloom.common.media.formats import AUDIO_CODECS, VIDEO_CODECS
from frameloom.gateway.routes.jobs import ADMISSION_ERRORS
from frameloom.gateway.settings import GatewaySettings, UploadSettings

PAGE = (Path(__file__).parents[2] / "docs" / "api" / "uploads.md").read_text(encoding="utf-8")


def row(name: str) -> list[str]:
    """The cells of the first row that has this."""
    line = next(line for line in PAGE.splitlines() if line.startswith("|") and name in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_refusal_is_there_with_its_status() -> None:
    for error in ADMISSION_ERRORS:
        assert row(f"`{error.code}`")[0] == str(error.status)


def test_the_limits_are_those_of_the_settings() -> None:
    own, gateway = UploadSettings(), GatewaySettings()
    width, height = map(int, row("MAX_PIXELS")[1].split(" x "))
    assert width * height == own.max_pixels
    assert row("MAX_DURATION_SECONDS")[1] == f"{own.max_duration_seconds / 3600:g} h"
    assert row("MAX_FPS")[1] == f"{own.max_fps:g}"
    assert row("MAX_STREAMS")[1] == str(own.max_streams)
    assert row("MAX_BIT_DEPTH")[1] == str(own.max_bit_depth)
    assert row("MAX_PROBE_BYTES")[1] == f"{own.max_probe_bytes // 1024**2} MiB"
    assert row("MIN_BYTES_PER_SECOND")[1] == f"{own.min_bytes_per_second:g}"
    assert f"after {own.grace_seconds:g} s" in row("MIN_BYTES_PER_SECOND")[0]
    assert row("FRAMELOOM_UPLOAD_MAX_SECONDS")[1] == f"{own.max_seconds / 3600:g} h"
    at_once = f"{gateway.max_concurrent_uploads}, {own.max_concurrent_per_key}"
    assert row("MAX_CONCURRENT_PER_KEY")[1] == at_once
    assert row("MAX_UPLOAD_BYTES")[1] == f"{gateway.max_upload_bytes // 1024**3} GiB"


def test_the_commonest_codecs_are_taken() -> None:
    assert {"h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "prores"} <= VIDEO_CODECS
    assert {"aac", "mp3", "opus", "vorbis", "flac", "pcm_s16le"} <= AUDIO_CODECS
