"""Every format is read back by its own field's reader, and says what the rows said."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import motmetrics
import pyarrow.parquet
import pylangacq
import pympi
import pytest
import srt
import webvtt

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.assembly import assemble
from frameloom.results.formats import WRITERS, cvat
from frameloom.results.formats.base import UnknownWriterError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROVENANCE = Provenance(
    input_sha256="ab12",
    pipeline="speech --> x",
    pipeline_version="1",
    decoder="d",
    frameloom_version="1",
    worker="w",
    started_at=NOW,
    ended_at=NOW,
)
TALK = [
    {"start_time": 0.5, "end_time": 1.25, "text": "Hello <you> & me", "speaker": "A"},
    {"start_time": 1.25, "end_time": 1.25, "text": "no time at all", "speaker": "A"},
    {"start_time": 2.0, "end_time": 3.5, "text": 'Is it\n--> "so"?', "speaker": "B b"},
    {"start_time": 3.0, "end_time": 4.0, "text": "overlapping", "speaker": "B b"},
    {"start_time": 3661.001, "end_time": 3662.0, "text": "late ünïcode", "speaker": None},
]
BOXES = [
    {"frame_number": frame, "timestamp": frame / 10, "bbox": [10 + frame, 20, 30, 40], "score": 0.5, **more}
    for frame, more in [
        (0, {"track_id": 1, "label": "person"}),
        (0, {"track_id": 2, "label": "dog & cat"}),
        (2, {"track_id": 1, "label": "person"}),
        (2, {}),
        (8, {"track_id": 1, "label": "person"}),
    ]
]


async def made(writer: str, lists: dict[str, list[Any]], **options: Any) -> tuple[bytes, int]:
    def rows(name: str) -> AsyncIterator[list[bytes]]:
        async def batches() -> AsyncIterator[list[bytes]]:
            for row in lists.get(name, []):
                yield [json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode()]

        return batches()

    spec = ArtefactSpec(suffix=".x", writer=writer, counted=next(iter(lists)), options=options)
    file = io.BytesIO()
    done = await assemble(spec, PROVENANCE, rows, file)
    assert done.size_bytes == len(file.getvalue())
    return file.getvalue(), done.annotation_count


async def test_webvtt(tmp_path: Path) -> None:
    body, count = await made("webvtt", {"segments": TALK})
    captions = list(webvtt.from_buffer(io.StringIO(body.decode())))
    assert count == len(captions) == 4
    assert captions[0].start == "00:00:00.500"
    assert captions[0].voice == "A"
    assert captions[-1].end == "01:01:02.000"
    assert b"--> x" not in body
    cues = body.decode().split("\n\n")
    assert cues[0] == "WEBVTT"
    assert cues[1] == "1\n00:00:00.500 --> 00:00:01.250\n<v A>Hello &lt;you&gt; &amp; me"
    assert cues[2].count("-->") == 1


async def test_srt() -> None:
    body, count = await made("srt", {"segments": TALK})
    parsed = list(srt.parse(body.decode()))
    assert count == len(parsed) == 4
    assert parsed[0].content == "A: Hello <you> & me"
    assert parsed[1].content == 'B b: Is it --> "so"?'
    assert parsed[-1].start.total_seconds() == pytest.approx(3661.001)


async def test_rttm() -> None:
    body, count = await made("rttm", {"turns": TALK}, unnamed="nobody")
    lines = [line.split() for line in body.decode().splitlines()]
    assert count == len(lines) == 4
    assert all(len(line) == 10 for line in lines)
    assert [line[7] for line in lines] == ["A", "B_b", "B_b", "nobody"]
    assert [float(line[4]) for line in lines] == [0.75, 1.5, 1.0, 0.999]
    assert {line[1] for line in lines} == {"video"}


async def test_textgrid(tmp_path: Path) -> None:
    body, count = await made("textgrid", {"segments": TALK}, media_seconds=4000.0, unnamed="else")
    file = tmp_path / "x.TextGrid"
    file.write_bytes(body)
    grid = pympi.TextGrid(str(file))
    assert [tier.name for tier in grid.get_tiers()] == ["A", "B b", "else"]
    assert grid.xmax == 4000.0
    assert count == 4
    for tier in grid.get_tiers():
        intervals = tier.get_all_intervals()
        assert intervals[0][0] == 0
        assert intervals[-1][1] == 4000.0
        for (_, end, _), (begin, _, _) in pairwise(intervals):
            assert end == begin
    second = [interval for interval in grid.get_tier("B b").get_all_intervals() if interval[2]]
    assert second == [(2.0, 3.5, 'Is it --> "so"?'), (3.5, 4.0, "overlapping")]


async def test_elan(tmp_path: Path) -> None:
    body, count = await made("elan", {"segments": TALK}, unnamed="else")
    file = tmp_path / "x.eaf"
    file.write_bytes(body)
    document = pympi.Elan.Eaf(str(file))
    assert sorted(document.get_tier_names()) == ["A", "B b", "else"]
    assert count == 4
    assert document.get_annotation_data_for_tier("A") == [(500, 1250, "Hello <you> & me")]
    assert document.get_annotation_data_for_tier("else") == [(3661001, 3662000, "late ünïcode")]


async def test_chat(tmp_path: Path) -> None:
    body, count = await made("chat", {"segments": TALK}, language="eng", media="x", unnamed="else")
    file = tmp_path / "x.cha"
    file.write_bytes(body)
    transcript = pylangacq.read_chat(str(file))
    utterances = transcript.utterances()
    assert count == len(utterances) == 4
    assert [one.participant for one in utterances] == ["SP01", "SP02", "SP02", "SP03"]
    assert utterances[0].time_marks == (500, 1250)
    assert [token.word for token in utterances[1].tokens] == ["Is", "it", "so", "?"]
    assert transcript.languages() == ["eng"]


async def test_csv_and_parquet(tmp_path: Path) -> None:
    columns = [
        ("start", "start_time", "number"),
        ("text", "text", "text"),
        ("who", "speaker", "text"),
        ("frame", "frame_number", "integer"),
    ]
    body, count = await made("csv", {"segments": TALK}, columns=columns)
    table = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert count == len(table) == 5
    assert table[2]["text"] == 'Is it\n--> "so"?'
    assert (table[0]["start"], table[4]["who"], table[0]["frame"]) == ("0.5", "", "")
    packed, same = await made("parquet", {"segments": TALK}, columns=columns)
    read = pyarrow.parquet.read_table(io.BytesIO(packed))
    assert same == read.num_rows == 5
    assert read.column("start").to_pylist() == [row["start_time"] for row in TALK]
    assert json.loads(read.schema.metadata[b"frameloom.provenance"])["input_sha256"] == "ab12"
    nested, _ = await made(
        "csv", {"annotations": BOXES}, columns=[("left", "bbox.0", "number"), ("box", "bbox", "text")]
    )
    assert nested.decode().splitlines()[1] == '10.0,"[10, 20, 30, 40]"'


async def test_mot(tmp_path: Path) -> None:
    body, count = await made("mot", {"annotations": BOXES})
    file = tmp_path / "x.txt"
    file.write_bytes(body)
    table = motmetrics.io.loadtxt(str(file), fmt="mot15-2D")
    assert count == len(table) == 5
    assert sorted(set(table.index.get_level_values(1))) == [-1, 1, 2]
    assert table.loc[(3, 1)]["Width"] == 30


@pytest.mark.parametrize("memory", [200_000, 1])
async def test_cvat(monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    monkeypatch.setattr(cvat, "_BOXES_IN_MEMORY", memory)
    body, count = await made("cvat", {"annotations": BOXES})
    document = ET.fromstring(body)
    assert document.findtext("version") == "1.1"
    assert count == 5
    tracks = {track.get("id"): track for track in document.iter("track")}
    assert set(tracks) == {"1", "2", "3"}
    assert tracks["2"].get("label") == "dog & cat"
    seen = [(box.get("frame"), box.get("outside")) for box in tracks["1"]]
    assert seen == [("0", "0"), ("2", "0"), ("4", "1"), ("8", "0"), ("10", "1")]
    assert tracks["1"][0].get("xbr") == "40.00"
    assert {label.text for label in document.iter("name")} == {"person", "dog & cat", "object"}


async def test_emotion() -> None:
    rows = [
        {"timestamp": 1.0, "face_id": 3, "emotion_scores": {"happy": 0.75, "sad": 0.25}},
        {"timestamp": 2.0, "face_id": 3},
    ]
    body, count = await made("emotion", {"annotations": rows}, step_seconds=0.2)
    document = json.loads(body)
    assert count == len(document["emotions"]) == 1
    assert document["emotions"][0]["labels"][0] == {"label": "happy", "confidence": 0.75}
    assert (document["emotions"][0]["start"], document["emotions"][0]["end"]) == (1.0, 1.2)
    assert document["emotions"][0]["subject"] == {"id": "3", "type": "person"}
    assert list(document["labels"]["definitions"]) == ["happy", "sad"]
    assert document["schema_version"] == 1


@pytest.mark.parametrize("writer", sorted(WRITERS))
async def test_nothing_is_a_file_too(writer: str) -> None:
    body, count = await made(writer, {"segments": []})
    assert count == 0
    assert body or writer in {"srt", "rttm", "mot"}


async def test_a_format_that_is_not_known() -> None:
    with pytest.raises(UnknownWriterError, match="hologram"):
        await made("hologram", {"segments": []})
