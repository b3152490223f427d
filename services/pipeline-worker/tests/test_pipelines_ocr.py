"""Text in pictures: what is decided without a network, and real text read by the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import worker_clips as clips

from frameloom.common.pipelines import ArtefactSpec, Item
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.ocr import Ocr
from frameloom.worker.pipelines.texts import lines as texts_lines
from frameloom.worker.pipelines.texts.finder import outlined
from frameloom.worker.pipelines.texts.lines import Line, LineFollower, Reading
from frameloom.worker.pipelines.texts.reader import batches, decoded
from frameloom.worker.pipelines.texts.stillness import Stillness

Fetch = Callable[..., ModelStore]
MODELS = ("pp-ocr-detection", "pp-ocr-recognition")


def reading(text: str, top: float = 100.0, confidence: float = 0.9, left: float = 50.0) -> Reading:
    return Reading(text, confidence, (left, top, 20.0 * len(text), 30.0))


def followed(pictures: list[list[Reading] | None], gap: float = 1.5) -> list[Line]:
    """Texts of pictures a second apart; None: the picture before once more."""
    follower = LineFollower(gap)
    for second, readings in enumerate(pictures):
        if readings is None:
            follower.still(float(second), second * 25)
        else:
            follower.see(float(second), second * 25, readings)
    follower.finish(float(len(pictures)))
    return list(follower.take())


def spans(found: list[Line]) -> list[tuple[str, float, float | None, int]]:
    return [(line.text, line.start, line.end, line.samples) for line in found]


def test_the_same_text_in_neighbouring_pictures_is_one() -> None:
    title = reading("Chapter one")
    assert spans(followed([[], [title], [title], None, []])) == [("Chapter one", 1.0, 4.0, 3)]


def test_it_lasts_until_the_first_picture_without_it_or_the_end() -> None:
    title, last = reading("Chapter one"), reading("The end", top=300)
    assert spans(followed([[title, last], [last]])) == [
        ("Chapter one", 0.0, 1.0, 1),
        ("The end", 0.0, 2.0, 2),
    ]


def test_most_readings_win_and_parts_of_a_fading_text_lose() -> None:
    found = followed(
        [[reading("Peach Proj")], [reading("Peach Project")], [reading("Peach Project", confidence=0.5)]]
    )
    assert spans(found) == [("Peach Project", 0.0, 3.0, 3)]
    assert found[0].best.confidence == 0.9
    two = followed([[reading("coming.")], [reading("coming..")]])
    assert two[0].text == "coming..", "of equals the longest"


def test_other_text_in_the_same_place_is_another() -> None:
    found = followed([[reading("Good morning")], [reading("See you soon")]])
    assert spans(found) == [("Good morning", 0.0, 1.0, 1), ("See you soon", 1.0, 2.0, 1)]


def test_credits_that_roll_are_followed() -> None:
    found = followed([[reading("Directed by", top=400 - 60 * i)] for i in range(5)])
    assert spans(found) == [("Directed by", 0.0, 5.0, 5)]


def test_the_same_words_in_two_places_stay_two() -> None:
    both = [reading("Exit", top=50), reading("Exit", top=400)]
    found = followed([both, both])
    assert spans(found) == [("Exit", 0.0, 2.0, 2)] * 2
    assert [line.best.box[1] for line in found] == [50, 400]


def test_a_short_gap_is_bridged_and_a_long_one_is_not() -> None:
    title = reading("Chapter one")
    assert spans(followed([[title], [], [title]], gap=2.0)) == [("Chapter one", 0.0, 3.0, 2)]
    assert spans(followed([[title], [], [title]], gap=1.0)) == [
        ("Chapter one", 0.0, 1.0, 1),
        ("Chapter one", 2.0, 3.0, 1),
    ]


def test_rows_come_in_order_of_their_start_also_beside_a_text_that_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(texts_lines, "LONGEST_SECONDS", 10.0)
    follower, logo = LineFollower(0.5), reading("LOGO", top=10)
    taken: list[Line] = []
    held = 0
    for second in range(60):
        follower.see(float(second), second, [logo, reading(f"caption {second * 7919 % 1000:03}", top=300)])
        taken += follower.take()
        held = max(held, len(follower._over))
    follower.finish(60.0)
    taken += follower.take()
    starts = [line.start for line in taken]
    assert starts == sorted(starts)
    assert sum(line.text == "LOGO" for line in taken) == 6
    assert held <= 12, "what waits is bounded"


def test_letters_are_what_is_left_of_repeats_and_blanks() -> None:
    known = ["", "a", "b", " "]
    path = [0, 1, 1, 0, 1, 2, 3, 3, 2, 0]
    answer = np.full((len(path), 4), 0.1, np.float32)
    answer[np.arange(len(path)), path] = 0.7
    assert decoded(answer, known) == ("aab b", pytest.approx(0.7))
    assert decoded(np.eye(4, dtype=np.float32)[[0, 0]], known) == ("", 0.0)


def test_wide_lines_go_in_smaller_groups() -> None:
    widths = [3200, 320, 320, 1000, 2600]
    order = sorted(range(5), key=lambda place: widths[place])
    assert list(batches(order, widths)) == [[1, 2, 3], [4], [0]]
    assert list(batches([], [])) == []


def test_boxes_grow_back_around_what_is_painted() -> None:
    painted = np.zeros((64, 128), np.float32)
    painted[20:30, 20:100] = 0.9
    painted[50:52, 5:7] = 0.9  # too small
    painted[40:50, 60:100] = 0.35  # too faint
    ((quad, score),) = outlined(painted)
    # 80 x 10 grow by 80 * 10 * 1.6 / (2 * 90) = 7 on each side.
    assert quad.min(axis=0) == pytest.approx([13, 13], abs=1.5)
    assert quad.max(axis=0) == pytest.approx([107, 37], abs=1.5)
    assert score == pytest.approx(0.9, abs=0.1)


def test_grain_is_no_change_and_a_caption_is_one() -> None:
    noise = np.random.default_rng(3)

    def picture() -> np.ndarray:
        return (noise.integers(0, 24, (360, 640, 3)) + 90).astype(np.uint8)

    stillness = Stillness(12)
    assert not stillness.unchanged(picture())
    assert stillness.unchanged(picture())
    caption = cv2.putText(
        picture(), "one word", (250, 330), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1
    )
    assert not stillness.unchanged(caption)
    assert stillness.unchanged(caption)
    assert not stillness.unchanged(picture()), "it went away again"
    assert not Stillness(0).unchanged(picture())


def test_slow_changes_add_up() -> None:
    stillness = Stillness(12)
    changes = [not stillness.unchanged(np.full((90, 160, 3), 50 + 2 * i, np.uint8)) for i in range(12)]
    assert changes == [True, *[False] * 5, True, *[False] * 5]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"language": "ru"}, "no Cyrillic"),
        ({"pps": 0}, "pps"),
        ({"exports": ["docx"]}, "exports"),
        ({"min_confidence": 2}, "min_confidence"),
    ],
)
def test_configurations_out_of_range(tmp_path: Path, config: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskError) as caught:
        Ocr.configured(config, ModelStore(tmp_path, fetch=False))
    assert caught.value.category == "validation"
    assert told in caught.value.message


def texts(
    clip: Path, store: ModelStore, config: dict[str, Any]
) -> tuple[list[dict[str, Any]], tuple[ArtefactSpec, ...]]:
    items: list[Item] = []
    summary = run(
        Ocr.configured(config, store),
        clip,
        emit=lambda rows, start, end: items.extend(rows),
        progress=lambda told: None,
    )
    assert {item.list for item in items} <= {"texts"}
    return [item.row for item in items], summary.artefacts


@pytest.mark.models
def test_captions_are_read_with_their_time_and_place(fetched: Fetch, tmp_path: Path) -> None:
    def picture(index: int) -> np.ndarray:
        image = np.full((360, 640, 3), (40, 70, 40), np.uint8)
        if 25 <= index < 75:
            cv2.putText(image, "Annotation 2026", (60, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 2)
        if index >= 50:
            cv2.putText(image, "all is well", (320, 300), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 255, 255), 2)
        return image

    clip = clips.write(tmp_path / "a.mp4", picture, size=(640, 360), frames=100)
    rows, artefacts = texts(clip, fetched(*MODELS), {"pps": 2, "detection_size": 640})
    assert [(row["text"], row["start"], row["end"], row["samples"]) for row in rows] == [
        ("Annotation 2026", 1.0, 3.0, 4),
        ("all is well", 2.0, 4.0, 4),
    ]
    first = rows[0]
    left, top, width, height = first["bbox"]
    down, across = np.nonzero((picture(30) != picture(0)).any(axis=2))
    assert left == pytest.approx(across.min(), abs=12)
    assert left + width == pytest.approx(across.max(), abs=12)
    assert top == pytest.approx(down.min(), abs=16)
    assert top + height == pytest.approx(down.max(), abs=16)
    assert first["confidence"] > 0.9
    assert first["frame_number"] == 25
    assert len(first["polygon"]) == 4
    json.dumps(rows)
    main, table = artefacts
    assert main.suffix == "_ocr.json"
    assert main.head["info"]["pictures"] == 8
    assert main.head["info"]["pictures_read"] == 4, "still pictures are not read again"
    assert table.suffix == "_ocr.csv"


@pytest.mark.models
def test_nothing_is_read_where_nothing_stands(fetched: Fetch, tmp_path: Path) -> None:
    clip = clips.write(
        tmp_path / "a.mp4", clips.flat(320, 180, [(90, 120, 60)], 5), size=(320, 180), frames=5
    )
    assert texts(clip, fetched(*MODELS), {})[0] == []
