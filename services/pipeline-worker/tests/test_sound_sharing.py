"""One decode for several listeners gives each the blocks that a decode of its own would give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import worker_clips as clips
from hypothesis import given, settings
from hypothesis import strategies as st
from worker_tones import tone

from frameloom.worker.errors import TaskError
from frameloom.worker.sound import Reblocker, SoundBlock, SoundRequest, deal, open_sound, shared_request

Samples = npt.NDArray[np.float32]

_RATE_HZ = 100


def alone(path: Path, request: SoundRequest) -> tuple[list[SoundBlock], str | None]:
    blocks: list[SoundBlock] = []
    try:
        with open_sound(path, request) as source:
            blocks.extend(source)
    except TaskError as error:
        return blocks, error.message
    return blocks, None


def together(path: Path, requests: list[SoundRequest]) -> tuple[list[list[SoundBlock]], str | None]:
    heard: list[list[SoundBlock]] = [[] for _ in requests]
    try:
        with open_sound(path, shared_request(requests)) as source:
            for listener, block in deal(source, requests):
                heard[listener].append(block)
    except TaskError as error:
        return heard, error.message
    return heard, None


def same(one: list[SoundBlock], other: list[SoundBlock]) -> bool:
    return len(one) == len(other) and all(
        a.start_seconds == b.start_seconds and a.rate_hz == b.rate_hz and np.array_equal(a.samples, b.samples)
        for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone(tmp_path_factory.mktemp("sound") / "a.mkv", "pcm_s16le", seconds=6.0, gap=(2.0, 3.5))


@pytest.fixture(scope="module")
def cut(whole: Path) -> Path:
    return clips.truncate(whole, whole.with_name("cut.mkv"), 0.5)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.floats(0.05, 8.0), min_size=1, max_size=4))
def test_the_same_as_decodes_of_their_own(whole: Path, cut: Path, lengths: list[float]) -> None:
    requests = [SoundRequest(block_seconds=length) for length in lengths]
    for path in (whole, cut):
        heard, failure = together(path, requests)
        assert (failure is None) == (path == whole)
        for request, blocks in zip(requests, heard, strict=True):
            expected, expected_failure = alone(path, request)
            assert same(blocks, expected)
            assert failure == expected_failure


@settings(deadline=None)
@given(
    pieces=st.lists(st.integers(0, 700), max_size=30),
    block=st.integers(1, 500),
)
def test_pieces_of_any_length(pieces: list[int], block: int) -> None:
    sound = np.arange(sum(pieces), dtype=np.float32)
    reblocker = Reblocker(SoundRequest(_RATE_HZ, block / _RATE_HZ))
    blocks: list[SoundBlock] = []
    place = 0
    for length in pieces:
        piece = sound[place : place + length].copy()
        blocks += reblocker.feed(piece)
        piece.fill(-1.0)  # it stayed ours, so nothing that was given or held may change
        place += length
        held = place - sum(len(ready) for ready in blocks)
        assert 0 <= held < block
    blocks += reblocker.rest()
    assert reblocker.rest() == []
    assert [len(ready) for ready in blocks[:-1]] == [block] * (len(blocks) - 1)
    joined = np.concatenate([ready.samples for ready in blocks]) if blocks else np.zeros(0, np.float32)
    assert np.array_equal(joined, sound)
    places = np.cumsum([0] + [len(ready) for ready in blocks[:-1]])
    assert [ready.start_seconds for ready in blocks] == [place / _RATE_HZ for place in places[: len(blocks)]]


def test_a_listener_owns_its_samples() -> None:
    sound = np.ones(40, np.float32)
    one, other = (Reblocker(SoundRequest(_RATE_HZ, 0.2)) for _ in range(2))
    for block in one.feed(sound):
        block.samples.fill(0.0)
    assert all(block.samples.all() for block in other.feed(sound))


def test_different_rates_can_not_share() -> None:
    assert shared_request([SoundRequest(), SoundRequest(block_seconds=0.5)]) == SoundRequest(
        block_seconds=0.5
    )
    with pytest.raises(ValueError, match="different rates"):
        shared_request([SoundRequest(16_000), SoundRequest(22_050)])


def test_a_long_pause_comes_in_pieces(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.mkv", "pcm_s16le", seconds=3.0, gap=(1.0, 2.0), stretch=900.0)
    with open_sound(path, SoundRequest(block_seconds=0.5)) as source:
        longest = max(len(piece) for piece in source._pieces())  # type: ignore[attr-defined]
    assert longest <= 8000
