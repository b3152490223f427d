"""For the tests of who writes a pipeline: runs it over a file as a worker does, and checks what it gives.

Needs no server, no settings and no test framework: faults are :class:`AssertionError` with a sentence.

    found = annotate(Brightness, clip, {"pps": 5})
    assert found.rows["samples"][0]["value"] > 100
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Progress, Row
from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.base import Pipeline
from frameloom.worker.pipelines.broken import BrokenPipeline
from frameloom.worker.pipelines.registry import checked, load_pipelines
from frameloom.worker.pipelines.runner import run

__all__ = ["Annotations", "annotate", "installed", "write_clip"]


@dataclass(frozen=True, slots=True)
class Annotations:
    """What a pipeline gave for a file.

    Attributes:
        rows: By list, in the order in which they came; an empty list for one that is not there.
        artefacts: The files to be made of them.
        media: What probing found.
        frames: How many frames it looked at.
        models: sha256 of each model used.
        config: The configuration in force, defaults filled in.
    """

    rows: Mapping[str, list[Row]]
    artefacts: tuple[ArtefactSpec, ...]
    media: MediaInfo
    frames: int
    models: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)

    def document(self, suffix: str) -> dict[str, Any]:
        """A JSON file as the results service writes it: head, lists, copies, tail.

        Args:
            suffix: Of the artefact.

        Raises:
            AssertionError: There is no such artefact, or it is not written as JSON.
        """
        spec = next((one for one in self.artefacts if one.suffix == suffix), None)
        suffixes = ", ".join(one.suffix for one in self.artefacts)
        assert spec is not None, f"no artefact ends in {suffix!r}; there are: {suffixes}"
        assert spec.writer == "json", f"{suffix} is written by {spec.writer}, not as JSON"
        lists = {name: list(self.rows[spec.copies.get(name, name)]) for name in spec.lists}
        return {**spec.head, **lists, **spec.tail}


def annotate(
    pipeline: type[Pipeline] | str,
    media: str | Path,
    config: Mapping[str, Any] | None = None,
    *,
    models: ModelStore | None = None,
) -> Annotations:
    """Runs a pipeline over a file, from its probing to its end, in this process.

    Args:
        pipeline: The class; or the name of one that is installed, which tests its entry point too.
        media: A video or audio file.
        config: As a client sends it.
        models: Where weights come from; the user's own store unless given.

    Returns:
        Rows and files.

    Raises:
        AssertionError: The class is none that a worker takes, or what it gave is none that can be stored.
        TaskError: As a worker would fail the task.
    """
    kind = installed(pipeline) if isinstance(pipeline, str) else checked(pipeline)
    store = models or ModelStore()
    usable, reason = kind.available(store)
    assert usable, f"{kind.info.name} can not run here: {reason}"
    rows: dict[str, list[Row]] = defaultdict(list)
    reached = [0.0]

    def emit(items: Sequence[Item], start: float, end: float) -> None:
        assert reached[0] <= start <= end, f"rows for {start} to {end} s came after those to {reached[0]} s"
        reached[0] = end
        for item in items:
            _check_row(item)
            rows[item.list].append(item.row)

    made = kind.configured(config or {}, store)
    summary = run(made, media, emit=emit, progress=_unheard)
    _check_files(summary.artefacts, rows)
    return Annotations(
        rows=rows,
        artefacts=summary.artefacts,
        media=summary.media,
        frames=summary.frames,
        models=summary.models,
        config=made.config.model_dump(mode="json"),
    )


def installed(name: str) -> type[Pipeline]:
    """The pipeline of this name, by its entry point.

    Raises:
        AssertionError: There is none, or it is one that a worker switches off; the message says why.
    """
    found = load_pipelines()
    assert name in found, f"no pipeline {name} is installed; there are: {', '.join(found)}"
    pipeline = found[name]
    if issubclass(pipeline, BrokenPipeline):
        raise AssertionError(pipeline.reason)  # noqa: TRY004 - a fault of what is tested
    return pipeline


def write_clip(
    path: Path,
    pictures: Iterable[npt.NDArray[np.uint8]],
    *,
    fps: int = 25,
    sound: npt.NDArray[np.float32] | None = None,
    rate_hz: int = 16_000,
) -> Path:
    """Writes a short clip, so that tests need no media files.

    Args:
        path: The container follows from its suffix: ``.mp4``, ``.mkv``, ``.mov``.
        pictures: ``uint8 [height, width, 3]`` each, RGB, all of one even size. None at all: sound only.
        fps: Pictures a second.
        sound: ``float32 [N]``, mono, between -1 and 1.
        rate_hz: Its samples a second.

    Returns:
        The path.
    """
    import av  # noqa: PLC0415 - only who makes clips needs it here

    shown = list(pictures)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": "12"}) if shown else None
        audio = container.add_stream("aac", rate=rate_hz, layout="mono") if sound is not None else None
        if video is not None:
            video.height, video.width = shown[0].shape[:2]
            video.pix_fmt = "yuv420p"
            for picture in shown:
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(video.encode(None))
        if audio is not None and sound is not None:
            for begin in range(0, len(sound), 1024):
                block = np.ascontiguousarray(sound[None, begin : begin + 1024], np.float32)
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = rate_hz, begin, Fraction(1, rate_hz)
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def _unheard(progress: Progress) -> None:
    """A test does not wait for progress."""


def _check_row(item: Item) -> None:
    try:
        json.dumps(item.row, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"a row of {item.list} has what JSON has not: {error}: {item.row}") from None


def _check_files(artefacts: Sequence[ArtefactSpec], rows: Mapping[str, object]) -> None:
    assert artefacts, "artefacts() names no file, so nothing would be kept"
    suffixes = [spec.suffix for spec in artefacts]
    assert len(set(suffixes)) == len(suffixes), f"two artefacts have one suffix: {suffixes}"
    kept = {name for spec in artefacts for name in (*spec.lists, spec.counted)}
    lost = sorted(set(rows) - kept)
    assert not lost, f"rows of {', '.join(lost)} are in no artefact, so they would be lost"
