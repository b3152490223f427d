"""Rows of JSON result files: what each is, whatever its file is called."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from frameloom.client.drawing.findings import Cue, Curve, Findings, Kind, Point

_UNTOLD = {"", "unknown", "none", "null"}
_FACE_CATEGORY = 100
_LOOKS = 400
"""So many times are enough to tell how often a pipeline looked at the video."""
_NAMES_OF_LANES = {"annotations": "scenes", "turns": "speakers", "events": "sounds", "shots": "scenes"}
_TOLD_ELSEWHERE = {"person_tracks", "moments"}
"""What is drawn of them is in another list or file."""
_UNDRAWN = {"words", "categories", "licenses", "licences"}
_NO_CURVE = {"timestamp", "frame", "frame_number", "id", "start", "end", "start_time", "end_time"}
_CURVES_OF_A_LIST = 2


class RowReader:
    """Takes the rows of one file.

    Args:
        findings: Where to put them.
        title: What the file is about, for a curve that has no name.

    Attributes:
        taken: How many rows were something to draw.
        known: There is nothing to draw in it, and that is as it should be.
    """

    def __init__(self, findings: Findings, title: str) -> None:
        self._findings = findings
        self._title = title
        self._looks = array("d")
        self._images = array("d")
        self._kinds: set[Kind] = set()
        self.taken = 0
        self.known = False

    def take(self, name: str, row: Mapping[str, Any]) -> None:
        """A row of a list.

        Args:
            name: Of the list.
            row: As it stands in the file.
        """
        if name == "images":
            _look(self._images, row.get("timestamp"))
        elif name in _TOLD_ELSEWHERE:
            self.known = True
        elif name not in _UNDRAWN:
            self.taken += self._taken(name, row)

    def close(self) -> None:
        """The file is at its end."""
        times = sorted(set(self._images if len(self._images) > 1 else self._looks))
        gaps = [later - earlier for earlier, later in pairwise(times) if later - earlier > 1e-4]
        for kind in self._kinds if gaps else ():
            self._findings.steps[kind] = median(gaps)

    def _taken(self, name: str, row: Mapping[str, Any]) -> bool:
        box, time, span = _box(row), _number(row.get("timestamp")), _span(row)
        if span is not None and ("scene_type" in row or box is None):
            return self._span(name, row, span)
        if box is not None and (time is not None or span is not None):
            self._box(row, box, span[0] if time is None and span else time or 0.0, span)
            return True
        return time is not None and self._curves(row, time)

    def _span(self, name: str, row: Mapping[str, Any], span: tuple[float, float]) -> bool:
        speaker = _word(row, "speaker")
        if "scene_type" in row:
            self._findings.span("scenes", *span, _word(row, "scene_type"))
        elif text := _word(row, "text"):
            self._findings.cues.append(Cue(round(span[0], 3), round(span[1], 3), text, speaker))
        elif speaker:
            self._findings.span("speakers", *span, speaker)
        elif label := _word(row, "label") or _best_label(row.get("labels")):
            lane = "emotions" if name == "emotions" else _NAMES_OF_LANES.get(name, name)
            self._findings.span(lane, *span, label)
        else:
            lane = _NAMES_OF_LANES.get(name, name)
            self._findings.span(lane, *span, _word(row, "name") or _best_label(row.get("emotions")))
        return True

    def _box(
        self,
        row: Mapping[str, Any],
        box: tuple[float, float, float, float],
        time: float,
        span: tuple[float, float] | None,
    ) -> None:
        kind = _kind(row)
        key, name = _identity(kind, row)
        self._kinds.add(kind)
        _look(self._looks, time)
        track = self._findings.track(kind, key or kind, name, loose=key is None)
        end = span[1] if span is not None and "timestamp" not in row else None
        track.add(time, box, note=_note(kind, row), points=_points(row), end=end)

    def _curves(self, row: Mapping[str, Any], time: float) -> bool:
        values = {
            key: value for key in row if (value := _number(row[key])) is not None and key not in _NO_CURVE
        }
        chosen = ["value"] if "value" in values else list(values)[:_CURVES_OF_A_LIST]
        for key in chosen:
            label = self._title if key == "value" else key.replace("_", " ")
            curve = self._findings.curves.setdefault(label, Curve())
            curve.times.append(time)
            curve.values.append(values[key])
        return bool(chosen)


def _look(looks: array[float], time: Any) -> None:
    if len(looks) < _LOOKS and _number(time) is not None:
        looks.append(float(time))


def _kind(row: Mapping[str, Any]) -> Kind:
    if "face_id" in row or row.get("category_id") == _FACE_CATEGORY or "emotion_scores" in row:
        return "face"
    if "text" in row:
        return "text"
    if "keypoints" in row or "person_id" in row or "person_label" in row:
        return "person"
    return "object"


def _identity(kind: Kind, row: Mapping[str, Any]) -> tuple[str | None, str]:
    """The key of the track, if it has one, and what to call it."""
    person, track = _word(row, "person_id"), row.get("track_id")
    label = _word(row, "person_label")
    if kind == "person":
        name = label if label.casefold() not in _UNTOLD else "person"
        if track is None:
            return (None, name)
        return f"person {track}", f"#{track} {name}" if name != "person" else f"person {track}"
    if kind == "face":
        face = row.get("face_id", track)
        key = None if face is None else f"face {face}"
        known = label if label.casefold() not in _UNTOLD else ""
        if not known and key and person and track is not None:
            known = f"{key} of person {track}"
        return key, known or key or person or "face"
    label = _word(row, "text") or _word(row, "label") or _word(row, "category") or "object"
    return (None if track is None else f"{label} {track}"), label if kind == "object" else ""


def _note(kind: Kind, row: Mapping[str, Any]) -> str:
    if kind == "text":
        return _word(row, "text")
    emotion = _word(row, "emotion")
    if not emotion:
        attributes = row.get("attributes")
        emotion = _best_label(attributes.get("emotions")) if isinstance(attributes, Mapping) else ""
    return emotion


def _points(row: Mapping[str, Any]) -> tuple[Point, ...]:
    """Landmarks of a face, most of them if there are several kinds; joints of a person that are seen."""
    for key in ("landmarks_68", "landmarks"):
        found = row.get(key)
        if isinstance(found, list) and found and all(_pair(point) for point in found):
            return tuple((float(x), float(y)) for x, y in found)
    joints = row.get("keypoints")
    if not isinstance(joints, list) or not row.get("num_keypoints") or len(joints) % 3:
        return ()
    triples = zip(joints[::3], joints[1::3], joints[2::3], strict=True)
    return tuple((float(x), float(y)) for x, y, seen in triples if seen)


def _pair(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(_number(value) is not None for value in point)


def _best_label(found: Any) -> str:
    """The likeliest of ``[{label, confidence}]`` or of ``{name: score}`` or ``{name: {score}}``."""
    if isinstance(found, list):
        rows = [row for row in found if isinstance(row, Mapping) and "label" in row]
        best = max(rows, key=lambda row: _number(row.get("confidence")) or 0.0, default=None)
        return "" if best is None else str(best["label"])
    if isinstance(found, Mapping) and found:
        scores = {
            name: _number(score.get("score") if isinstance(score, Mapping) else score) or 0.0
            for name, score in found.items()
        }
        return str(max(scores, key=scores.__getitem__))
    return ""


def _box(row: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    box = row.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or any(_number(value) is None for value in box):
        return None
    left, top, width, height = map(float, box)
    return left, top, width, height


def _span(row: Mapping[str, Any]) -> tuple[float, float] | None:
    begin = _number(row.get("start_time", row.get("start")))
    end = _number(row.get("end_time", row.get("end")))
    return None if begin is None or end is None or end <= begin else (max(0.0, begin), end)


def _number(value: Any) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _word(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return "" if value is None or isinstance(value, dict | list) else " ".join(str(value).split())
