"""What the sound pipelines give becomes the files that they promise, read back by the own readers of each."""

from __future__ import annotations

import csv
import io
import json
import wave
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pympi
import webvtt

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo
from frameloom.results.assembly import assemble
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.audio_events import AudioEvents
from frameloom.worker.pipelines.audio_features import AudioFeatures

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROVENANCE = Provenance(
    input_sha256="ab12",
    pipeline="sound",
    pipeline_version="1",
    decoder="d",
    frameloom_version="1",
    worker="w",
    started_at=NOW,
    ended_at=NOW,
)


async def files(specs: tuple[ArtefactSpec, ...], items: list[Item]) -> dict[str, tuple[bytes, int]]:
    lists: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        lists[item.list].append(item.row)

    def rows(name: str) -> AsyncIterator[list[bytes]]:
        async def batches() -> AsyncIterator[list[bytes]]:
            yield [json.dumps(row).encode() for row in lists[name]]

        return batches()

    made = {}
    for spec in specs:
        file = io.BytesIO()
        done = await assemble(spec, PROVENANCE, rows, file)
        made[spec.suffix] = (file.getvalue(), done.annotation_count)
    return made


async def test_audio_features(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    time = np.arange(2 * 16_000) / 16_000
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((8_000 * np.sin(2 * np.pi * 220 * time)).astype("<i2").tobytes())
    items: list[Item] = []
    config = {"features": ["rms", "f0", "mfcc"], "mfcc_count": 2, "pitch": "yin", "hop_seconds": 0.1}
    pipeline = AudioFeatures.configured(config, ModelStore(fetch=False))
    summary = run(pipeline, path, emit=lambda rows, *_: items.extend(rows), progress=lambda _: None)
    made = await files(summary.artefacts, items)
    body, count = made["_audio_features.csv"]
    table = list(csv.DictReader(io.StringIO(body.decode())))
    assert count == len(table) == 21
    assert list(table[0]) == ["time", "rms", "f0_hz", "mfcc_1", "mfcc_2"]
    assert abs(float(table[10]["f0_hz"]) - 220) < 2
    frame = pyarrow.parquet.read_table(io.BytesIO(made["_audio_features.parquet"][0])).to_pylist()
    assert [row["time"] for row in frame] == [float(row["time"]) for row in table]
    assert [row["mfcc_2"] for row in frame] == [float(row["mfcc_2"]) for row in table]
    told = json.loads(made["_audio_features.json"][0])
    assert [row["figure"] for row in told["summary"]] == ["rms", "f0_hz", "mfcc_1", "mfcc_2"]
    assert told["info"]["features"] == ["rms", "f0", "mfcc"]


async def test_audio_events(tmp_path: Path) -> None:
    config = {"exports": ["webvtt", "elan", "textgrid", "parquet"]}
    pipeline = AudioEvents.configured(config, ModelStore(tmp_path, fetch=False))
    pipeline.begin(MediaInfo(container="wav", codec="pcm", duration_seconds=5.0))
    events = [("Speech", 0.0, 2.4), ("Chuckle, chortle", 1.2, 1.68), ("Music", 2.4, 5.0)]
    items = [
        Item(list="events", row={"start": a, "end": b, "label": label, "confidence": 0.7, "peak": 0.9})
        for label, a, b in events
    ]
    moment = {"start": 0.0, "end": 0.72, "scores": {"Speech": 0.9}}
    made = await files(pipeline.artefacts(), [*items, Item(list="moments", row=moment)])
    told = json.loads(made["_audio_events.json"][0])
    assert [row["label"] for row in told["events"]] == [label for label, *_ in events]
    assert told["moments"] == [moment]
    cues = list(webvtt.from_buffer(io.StringIO(made["_audio_events.vtt"][0].decode())))
    assert [(cue.text, cue.voice) for cue in cues] == [(label, None) for label, *_ in events]
    (tmp_path / "x.eaf").write_bytes(made["_audio_events.eaf"][0])
    elan = pympi.Elan.Eaf(str(tmp_path / "x.eaf"))
    assert set(elan.get_tier_names()) == {label for label, *_ in events}
    assert elan.get_annotation_data_for_tier("Chuckle, chortle")[0][:2] == (1200, 1680)
    (tmp_path / "x.TextGrid").write_bytes(made["_audio_events.TextGrid"][0])
    grid = pympi.Praat.TextGrid(str(tmp_path / "x.TextGrid"))
    music = {tier.name: tier for tier in grid.get_tiers()}["Music"]
    assert [interval for interval in music.get_all_intervals() if interval[2]] == [(2.4, 5.0, "Music")]
    table = list(csv.DictReader(io.StringIO(made["_audio_events.csv"][0].decode())))
    assert [row["label"] for row in table] == [label for label, *_ in events]
    assert {count for _, count in made.values()} == {3}
