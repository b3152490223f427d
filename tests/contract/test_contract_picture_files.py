"""The files of the pipelines that look at pictures: from a clip to what the formats' own readers find."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow.parquet
import pympi
import pytest
import webvtt

from frameloom.common.events import Provenance
from frameloom.common.pipelines import Item
from frameloom.results.assembly import assemble
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import Pipeline, run
from frameloom.worker.pipelines.ocr import Ocr
from frameloom.worker.pipelines.scene_detection import SceneDetection
from frameloom.worker.pipelines.video_quality import VideoQuality

NOW = datetime(2026, 11, 25, tzinfo=UTC)
PROVENANCE = Provenance(
    input_sha256="0" * 64, pipeline="p", pipeline_version="1", decoder="d", frameloom_version="1", worker="w",
    started_at=NOW, ended_at=NOW,
)  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a title, two of another colour."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for index in range(40):
            picture = np.full((180, 320, 3), (150, 40, 40) if index < 20 else (40, 160, 60), np.uint8)
            if index < 20:
                cv2.putText(picture, "Chapter 1", (40, 90), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


async def written(
    pipeline: type[Pipeline], config: dict[str, Any], clip: Path, store: ModelStore
) -> dict[str, bytes]:
    """The files by their suffix."""
    items: list[Item] = []
    summary = run(
        pipeline.configured(config, store),
        clip,
        emit=lambda rows, start, end: items.extend(rows),
        progress=lambda told: None,
    )

    def rows(name: str) -> AsyncIterator[list[bytes]]:
        async def batches() -> AsyncIterator[list[bytes]]:
            yield [json.dumps(item.row).encode() for item in items if item.list == name]

        return batches()

    files = {}
    for spec in summary.artefacts:
        out = io.BytesIO()
        await assemble(spec, PROVENANCE, rows, out)
        files[spec.suffix] = out.getvalue()
    return files


def table(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode())))


async def test_scenes(clip: Path, tmp_path: Path) -> None:
    config = {"exports": ["csv", "webvtt", "elan", "parquet"]}
    files = await written(SceneDetection, config, clip, ModelStore(tmp_path, fetch=False))
    assert [(row["start"], row["end"]) for row in table(files["_scene_detection.csv"])] == [
        ("0.0", "2.0"),
        ("2.0", "4.0"),
    ]
    chapters = list(webvtt.from_buffer(io.StringIO(files["_scene_detection.vtt"].decode())))
    assert [(cue.text, cue.start, cue.end) for cue in chapters] == [
        ("Scene 1", "00:00:00.000", "00:00:02.000"),
        ("Scene 2", "00:00:02.000", "00:00:04.000"),
    ]
    path = tmp_path / "scenes.eaf"
    path.write_bytes(files["_scene_detection.eaf"])
    assert pympi.Elan.Eaf(str(path)).get_annotation_data_for_tier("scenes") == [
        (0, 2000, "Scene 1"),
        (2000, 4000, "Scene 2"),
    ]
    rows = pyarrow.parquet.read_table(io.BytesIO(files["_scene_detection.parquet"])).to_pylist()
    assert [row["frame_end"] for row in rows] == [20, 40]


async def test_quality(clip: Path, tmp_path: Path) -> None:
    files = await written(
        VideoQuality, {"exports": ["csv", "parquet"]}, clip, ModelStore(tmp_path, fetch=False)
    )
    document = json.loads(files["_video_quality.json"])
    assert len(document["seconds"]) == 4
    assert document["summary"]["shots"] == len(document["shots"]) == 2
    # Viewers take a JSON file with these words near its beginning for scenes.
    assert not any(word in files["_video_quality.json"][:5000] for word in (b'"start_time"', b'"scene_type"'))
    seconds = table(files["_video_quality_seconds.csv"])
    assert [row["cuts"] for row in seconds] == ["0", "0", "1", "0"]
    shots = pyarrow.parquet.read_table(io.BytesIO(files["_video_quality_shots.parquet"])).to_pylist()
    assert [(shot["start"], shot["end"], shot["frame_end"]) for shot in shots] == [
        (0.0, 2.0, 20),
        (2.0, 4.0, 40),
    ]
    assert shots[0]["brightness"] == pytest.approx(document["shots"][0]["brightness"])


async def test_texts(clip: Path, tmp_path: Path) -> None:
    store = ModelStore()
    try:
        store.pull(Ocr.required_models)
    except TaskError as error:
        pytest.skip(f"real models were not tested: {error.message}")
    files = await written(Ocr, {"exports": ["csv", "webvtt", "elan"]}, clip, store)
    (row,) = table(files["_ocr.csv"])
    assert (row["text"], row["start"], row["end"]) == ("Chapter 1", "0.0", "2.0")
    assert float(row["left"]) == pytest.approx(40, abs=10)
    (cue,) = webvtt.from_buffer(io.StringIO(files["_ocr.vtt"].decode()))
    assert (cue.text, cue.end) == ("Chapter 1", "00:00:02.000")
    assert json.loads(files["_ocr.json"])["texts"][0]["text"] == "Chapter 1"
    assert not any(word in files["_ocr.json"][:5000] for word in (b'"start_time"', b'"end_time"'))
