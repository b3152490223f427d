"""What media may be like, and the sentences for what they must not be."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from gateway_kit import MP4

from frameloom.common.documents import MediaFacts
from frameloom.common.errors import FrameloomError
from frameloom.gateway.errors import MediaNotUsableError
from frameloom.gateway.probe.boxes import require_harmless
from frameloom.gateway.probe.ranges import RangeFile
from frameloom.gateway.probe.reasons import Reason, Refused
from frameloom.gateway.probe.rules import ProbeLimits, Seen, Stream, judged
from frameloom.gateway.services.refusals import refusal
from frameloom.gateway.services.strangers import stranger
from frameloom.gateway.services.usability import require_usable

LIMITS = ProbeLimits(duration_seconds=100, pixels=1000, fps=60, streams=3, bit_depth=10, read_bytes=1_000_000)
VIDEO = Stream(kind="video", codec="h264", width=40, height=20, fps=25.0, frames=100, bit_depth=8)
SOUND = Stream(kind="audio", codec="aac")
COVER = replace(VIDEO, codec="png", cover=True)


def seen(*streams: Stream, seconds: float | None = 4.0) -> Seen:
    video = next((i for i, s in enumerate(streams) if s.kind == "video" and not s.cover), None)
    audio = next((i for i, s in enumerate(streams) if s.kind == "audio"), None)
    return Seen("mov", seconds, streams, video, audio)


def test_what_is_seen_becomes_facts() -> None:
    assert judged(seen(VIDEO, SOUND), LIMITS) == MediaFacts(
        container="mov",
        duration_seconds=4.0,
        has_video=True,
        has_audio=True,
        video_codec="h264",
        audio_codec="aac",
        width=40,
        height=20,
        fps=25.0,
    )
    music = judged(seen(COVER, SOUND), LIMITS)
    assert (music.has_video, music.has_audio, music.width) == (False, True, None)


@pytest.mark.parametrize(
    ("container", "stream", "told"), [(4.0, 3.0, 4.0), (None, 3.0, 3.0), (0.0, 3.0, 3.0), (None, None, None)]
)
def test_the_length_is_the_first_that_is_told(
    container: float | None, stream: float | None, told: float | None
) -> None:
    facts = judged(seen(replace(VIDEO, seconds=stream), seconds=container), LIMITS)
    assert facts.duration_seconds == told


@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        ((), Reason.DAMAGED),
        ((COVER,), Reason.NO_STREAM),
        ((Stream(kind="subtitle", codec="subrip"),), Reason.NO_STREAM),
        ((VIDEO, SOUND, SOUND, SOUND), Reason.STREAMS),
        ((replace(VIDEO, codec="asv1"),), Reason.CODEC),
        ((replace(VIDEO, codec=None, tag="abcd"),), Reason.CODEC),
        ((replace(SOUND, codec="cook"),), Reason.CODEC),
        ((replace(VIDEO, width=1000),), Reason.PIXELS),
        ((VIDEO, replace(VIDEO, width=1000)), Reason.PIXELS),
        ((replace(COVER, width=1000), SOUND), Reason.PIXELS),
        ((replace(VIDEO, fps=61.0),), Reason.FRAME_RATE),
        ((replace(VIDEO, fps=61.0, frames=0),), Reason.FRAME_RATE),
        ((replace(VIDEO, bit_depth=12),), Reason.BIT_DEPTH),
        ((replace(VIDEO, seconds=101),), Reason.DURATION),
    ],
)
def test_what_is_beyond_is_refused(streams: tuple[Stream, ...], reason: Reason) -> None:
    with pytest.raises(Refused) as caught:
        judged(seen(*streams, seconds=None), LIMITS)
    assert caught.value.reason == reason


def test_a_single_frame_has_no_rate() -> None:
    assert judged(seen(replace(VIDEO, fps=12_800.0, frames=1)), LIMITS).has_video


def test_a_sound_that_is_not_read_does_not_spoil_the_picture() -> None:
    facts = judged(seen(VIDEO, replace(SOUND, codec="cook")), LIMITS)
    assert (facts.has_video, facts.has_audio) == (True, False)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    facts = {"limit": 5, "seconds": 7.0, "codec": "x\0y" * 100, "kind": "sound", "kinds": ["data"]}
    error = refusal(Refused(reason, **facts), "a.mp4")
    assert 400 <= error.status < 500
    assert error.message.startswith("The file a.mp4 ")
    assert len(error.message) < 300
    assert error.message.isprintable()
    assert error.hint
    assert error.detail is not None
    assert error.detail["reason"] == reason.value
    assert refusal(Refused(reason), "a.mp4").message


def test_the_sentences_differ() -> None:
    assert len({refusal(Refused(reason), "a.mp4").message for reason in Reason}) == len(Reason)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"\x89PNG\r\n\x1a\n", "STILL_IMAGE"),
        (b"<?xml version='1.0'?><!-- x --><svg/>", "STILL_IMAGE"),
        (b"\0\0\0\x20ftypavif", "STILL_IMAGE"),
        (b"  \n#EXTM3U", "INDIRECT_MEDIA"),
        ("#EXTM3U".encode("utf-16"), "INDIRECT_MEDIA"),
        (b"<?xml version='1.0'?><!-- x --><MPD>", "INDIRECT_MEDIA"),
        (b"PK\x03\x04", "UNSUPPORTED_MEDIA"),
        (b"", "UNSUPPORTED_MEDIA"),
    ],
)
def test_strangers_are_told_apart(head: bytes, code: str) -> None:
    error: FrameloomError = stranger(head, "a.mp4")
    assert (error.code, error.status) == (code, 415)
    assert error.hint


@pytest.mark.parametrize(
    ("video", "audio", "modalities", "usable"),
    [
        (True, False, {"a": ("video",)}, True),
        (False, True, {"a": ("video",)}, False),
        (False, True, {"a": ("video",), "b": ("audio",)}, True),
        (False, True, {"a": ("image", "video")}, False),
        (True, False, {"b": ("audio",)}, False),
        (True, True, {"b": ("audio",)}, True),
        (False, True, {"a": ()}, True),
    ],
)
def test_one_pipeline_that_can_use_it_is_enough(
    video: bool, audio: bool, modalities: dict[str, tuple[str, ...]], usable: bool
) -> None:
    facts = MediaFacts(container="mov", has_video=video, has_audio=audio)
    if usable:
        require_usable(facts, modalities, "a.mp4")
        return
    with pytest.raises(MediaNotUsableError, match=next(iter(modalities))):
        require_usable(facts, modalities, "a.mp4")


def looked_at(body: bytes, limit: int = 100_000) -> bool:
    return require_harmless(io.BytesIO(body), len(body), limit)


def test_a_sound_index_is_found() -> None:
    assert looked_at(MP4)
    assert not looked_at(MP4[: MP4.index(b"moov") - 4])
    assert not looked_at(b"")
    assert not looked_at(MP4[: MP4.index(b"moov") + 50])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body.replace(b"udta", b"cmov"), Reason.COMPRESSED_INDEX),
        (lambda body: body.replace(b"udta", b"rmra"), Reason.INDIRECT),
        (lambda body: body.replace(b"url \0\0\0\1", b"url \0\0\0\0"), Reason.INDIRECT),
        (lambda body: body.replace(b"url \0\0\0\1", b"alis\0\0\0\0"), Reason.INDIRECT),
        (lambda body: body.replace(b"stsc\0\0\0\0\0\0\0\1", b"stsc\0\0\0\0\0\0\xff\1"), Reason.BAD_INDEX),
    ],
)
def test_what_an_index_must_not_hold(change: Callable[[bytes], bytes], reason: Reason) -> None:
    changed = change(MP4)
    assert changed != MP4
    with pytest.raises(Refused) as caught:
        looked_at(changed)
    assert caught.value.reason == reason


def test_an_index_has_a_limit() -> None:
    with pytest.raises(Refused) as caught:
        looked_at(MP4, 100)
    assert caught.value.reason == Reason.READS


@pytest.mark.parametrize("start", [0, 7, 4_000])
def test_boxes_of_eight_bytes_of_length(start: int) -> None:
    """A length of 1 says that the real one follows in eight bytes; 0, that it is the last box."""
    long = struct.pack(">I4sQ", 1, b"free", 16 + start) + bytes(start)
    assert looked_at(MP4[:28] + long + MP4[28:])
    assert not looked_at(MP4[:28] + struct.pack(">I4s", 0, b"free") + MP4[28:])


class Fetching:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked: list[tuple[int, int]] = []

    def __call__(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return self.body[offset : offset + length]


def test_ranges_read_like_a_file() -> None:
    body = bytes(range(256)) * 8192  # 2 MiB
    fetching = Fetching(body)
    file = RangeFile(fetching, len(body), 100 * len(body), 1024**2)
    plain = io.BytesIO(body)
    places = [(0, 10), (5, 300_000), (2_000_000, 500_000), (100, 1), (len(body), 5), (len(body) + 9, 5)]
    for offset, size in places:
        assert file.seek(offset) == plain.seek(offset)
        assert file.read(size) == plain.read(size)
        assert file.tell() - offset == len(body[offset : offset + size])
    assert file.seek(-10, io.SEEK_END) == len(body) - 10
    assert file.read() == body[-10:]
    assert file.seek(-5, io.SEEK_CUR) == len(body) - 5
    with pytest.raises(ValueError, match="before"):
        file.seek(-1)


def test_what_follows_is_fetched_in_larger_pieces() -> None:
    fetching = Fetching(bytes(4 * 1024**2))
    file = RangeFile(fetching, 4 * 1024**2, 10 * 1024**2, 1024**2)
    while file.read(64 * 1024):
        pass
    lengths = [length for _, length in fetching.asked]
    assert lengths[:3] == [256 * 1024, 512 * 1024, 1024 * 1024]
    assert sum(lengths) == 4 * 1024**2
    before = len(lengths)
    file.seek(3 * 1024**2)
    file.read(10)
    assert len(fetching.asked) == before, "what was read last is still there"


def test_reading_ends_at_the_limit() -> None:
    file = RangeFile(Fetching(bytes(10**6)), 10**6, 300_000, 1024**2)
    with pytest.raises(Refused) as caught:
        file.read()
    assert caught.value.reason == Reason.READS
    assert file.refused is caught.value
