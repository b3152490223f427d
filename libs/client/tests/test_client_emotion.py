"""The validator of the emotion format."""

from __future__ import annotations

import copy
import json

import pytest
from typer.testing import CliRunner

from frameloom.client.cli import app
from frameloom.client.emotion import problems_of
from frameloom.client.errors import UsageError

GOOD = {
    "schema_version": 1,
    "source_pipeline": "face_laion_clip",
    "media": {"type": "video", "path": "a.mp4", "frame_rate": 29.97},
    "emotions": [
        {
            "start": 12.5,
            "end": 13,
            "labels": [{"label": "happy", "confidence": 0.82}, {"label": "surprise", "confidence": 0.11}],
            "source": {"modality": "video", "channels": ["face"], "aggregation": "frame-window"},
            "subject": {"id": "child_01", "type": "person"},
            "origin_refs": {"face_track_id": 4, "speaker_turn_id": None},
            "confidence": 0.82,
            "quality_flags": [],
            "novel": True,
        }
    ],
    "labels": {"taxonomy": "basic-7"},
    "metadata": {"pipeline_variant": "laion-clip-face"},
}


def _file(tmp_path, document):
    path = tmp_path / "a.emotion.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_the_example_of_the_format_is_valid(tmp_path):
    assert problems_of(_file(tmp_path, GOOD)) == []
    assert problems_of(_file(tmp_path, GOOD | {"emotions": []})) == []  # a video in which nobody is seen


def _changed(*path, value=None, drop=False):
    document = copy.deepcopy(GOOD)
    at = document
    for part in path[:-1]:
        at = at[part]
    if drop:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


ENTRY = ("emotions", 0)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (_changed("schema_version", value=2), "schema_version: input should be 1"),
        (_changed("schema_version", value="1"), "schema_version: input should be 1"),
        (_changed("source_pipeline", drop=True), "source_pipeline: field required"),
        (_changed(*ENTRY, "end", value=12.5), "emotions[0]: end must be greater than start"),
        (_changed(*ENTRY, "start", value="12"), "emotions[0].start: input should be a valid number"),
        (_changed(*ENTRY, "labels", value=[]), "emotions[0].labels: list should have at least 1 item"),
        (
            _changed(*ENTRY, "labels", 1, "confidence", value=1.5),
            "emotions[0].labels[1].confidence: input should be less than or equal to 1",
        ),
        (_changed(*ENTRY, "labels", 1, "label", value="happy"), "emotions[0]: the label 'happy' stands"),
        (_changed(*ENTRY, "labels", 1, "confidence", value=0.9), "emotions[0]: labels must be sorted"),
        (
            _changed(*ENTRY, "confidence", value=0.5),
            "emotions[0]: confidence must be that of the first label",
        ),
        (_changed(*ENTRY, "source", value={}), "emotions[0].source.modality: field required"),
        (
            _changed(*ENTRY, "source", "modality", value="smell"),
            "emotions[0].source.modality: input should be 'video', 'audio' or 'multimodal'",
        ),
        (_changed(*ENTRY, "source", drop=True), "emotions[0].source: field required"),
        (_changed(*ENTRY, "quality_flags", value=[1]), "emotions[0].quality_flags[0]: input should be"),
        ("{", "invalid JSON: "),
        ("[]", "input should be an object"),
    ],
)
def test_each_rule_is_told_with_its_place(tmp_path, document, said):
    (problem,) = problems_of(_file(tmp_path, document))
    assert problem.startswith(said)


def test_all_problems_are_told_at_once(tmp_path):
    document = _changed("source_pipeline", value=3)
    document["emotions"].append({})
    assert len(problems_of(_file(tmp_path, document))) == 5


def test_the_command_tells_each_file(tmp_path):
    good, bad = _file(tmp_path, GOOD), tmp_path / "b.emotion.json"
    bad.write_text("{}")
    done = CliRunner().invoke(app, ["validate-emotion", str(good), str(bad)])
    assert done.exit_code == 1
    assert done.stdout.splitlines()[:2] == [f"{good}: valid", f"{bad}: not valid"]
    quiet = CliRunner().invoke(app, ["validate-emotion", "-q", str(good)])
    assert (quiet.exit_code, quiet.output) == (0, "")
    rows = json.loads(CliRunner().invoke(app, ["validate-emotion", "--json", str(bad)]).stdout)["files"]
    assert rows[0]["valid"] is False
    assert CliRunner().invoke(app, ["validate-emotion", str(tmp_path / "absent")]).exit_code == 2
    with pytest.raises(UsageError):
        problems_of(tmp_path)
