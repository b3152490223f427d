"""What the results service writes as emotions is what ``frameloom validate-emotion`` takes."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from frameloom.client.emotion import problems_of
from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.assembly import assemble

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PROVENANCE = Provenance(
    input_sha256="0" * 64,
    pipeline="face_analysis",
    pipeline_version="1",
    decoder="d",
    frameloom_version="1",
    worker="w",
    started_at=NOW,
    ended_at=NOW,
)
FACE = {"timestamp": 1.0, "face_id": 3, "emotion_scores": {"sad": 0.25, "happy": 0.75}}
VOICE = {"start_time": 0.5, "end_time": 2.0, "emotion_scores": {"calm": 0.5, "bored": 0.5}}


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ([FACE, {"timestamp": 2.0}], {"step_seconds": 0.2}),
        ([FACE], {}),
        ([VOICE], {"modality": "audio", "channels": ["voice"], "subject": "speaker", "taxonomy": "basic-7"}),
        ([], {}),
    ],
)
async def test_written_and_validated(
    tmp_path: Path, rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    def read(_: str) -> AsyncIterator[list[bytes]]:
        async def batches() -> AsyncIterator[list[bytes]]:
            for row in rows:
                yield [json.dumps(row).encode()]

        return batches()

    spec = ArtefactSpec(suffix=".emotion.json", writer="emotion", counted="annotations", options=options)
    out = io.BytesIO()
    await assemble(spec, PROVENANCE, read, out)
    file = tmp_path / "a.emotion.json"
    file.write_bytes(out.getvalue())
    assert problems_of(file) == []
