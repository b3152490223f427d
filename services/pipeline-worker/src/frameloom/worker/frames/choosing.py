"""Which decoder a file gets."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from frameloom.common.pipelines import MediaInfo
from frameloom.worker.frames import base
from frameloom.worker.frames.base import Backend, DecoderGaveUpError, FrameRequest, SharedFrames
from frameloom.worker.frames.fallback import Explained, Rescued
from frameloom.worker.frames.settings import FrameSettings
from frameloom.worker.media.spans import Span
from frameloom.worker.settings import WorkerSettings


def choose(
    path: Path,
    requests: Sequence[FrameRequest],
    media: MediaInfo,
    *,
    backend: str,
    threads: int | None,
    span: Span | None = None,
) -> SharedFrames:
    """Opens the file with the best decoder for it.

    Args:
        path: The file.
        requests: What is wanted of it.
        media: What probing found.
        backend: The only one, or ``auto``.
        threads: Decoding threads; None goes by the worker's slots.
        span: The part of it to show; None: all.

    Raises:
        TaskError: The file can not be opened.
        ValueError: No such backend, or it does not take this file.
    """
    if backend != "auto" and backend not in base.BACKENDS:
        raise ValueError(f"unknown frame backend {backend!r}; there are: auto, {', '.join(base.BACKENDS)}")
    if threads is None:
        threads = decoding_threads(WorkerSettings().slots, len(os.sched_getaffinity(0)))
    if backend != "auto":
        decoder = _decoder(backend)
        refusal = decoder.refusal(path, media, requests, asked=True)
        if refusal is not None:
            raise ValueError(f"frame backend {backend!r} does not take this {media.codec}: {refusal.reason}")
        return decoder.open(path, requests, media, threads=threads, span=span)
    setting = FrameSettings().frames
    names = [name for name in base.BACKENDS if setting != "pyav" or name == "pyav"]
    return _first(names, path, requests, media, setting=setting, threads=threads, span=span)


def decoding_threads(slots: int, cores: int) -> int | None:
    """Threads for one file where nobody says: None lets a lone slot use the machine.

    Files side by side, each on one thread, are decoded faster than the same files one after the other on all:
    the decoder's threads wait for each other (docs/benchmarks.md has the figures).

    Args:
        slots: Files that are decoded side by side.
        cores: Of the machine, that this process may use.
    """
    return None if slots == 1 else max(1, cores // slots)


def _decoder(name: str) -> Backend:
    decoder: Backend = importlib.import_module(base.BACKENDS[name]).BACKEND
    return decoder


def _first(
    names: Sequence[str],
    path: Path,
    requests: Sequence[FrameRequest],
    media: MediaInfo,
    *,
    setting: str,
    threads: int | None,
    span: Span | None,
) -> SharedFrames:
    """The first of these that takes the file, with those after it in reserve."""
    name, others = names[0], names[1:]

    def other() -> SharedFrames:
        return _first(others, path, requests, media, setting=setting, threads=threads, span=span)

    decoder = _decoder(name)
    asked = setting == name
    refusal = decoder.refusal(path, media, requests, asked=asked)
    if refusal is not None:
        if not others:
            raise ValueError(f"no frame backend takes this {media.codec}: {refusal.reason}")
        return _explained(name, other, refusal.reason if refusal.of_file or asked else None)
    try:
        source = decoder.open(path, requests, media, threads=threads, span=span)
    except DecoderGaveUpError as error:
        if not others:
            raise
        return _explained(name, other, error.reason)
    return Rescued(name, source, other) if others else source


def _explained(name: str, other: Callable[[], SharedFrames], reason: str | None) -> SharedFrames:
    return other() if reason is None else Explained(other(), f"not {name}: {reason}")
