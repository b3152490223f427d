"""Whisper's sizes and languages: what is offered, what is refused with which words, what was brought."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from frameloom.common.pipelines import Item
from frameloom.common.registry import registry
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore, OperatorSource
from frameloom.worker.pipelines.audio_processing import AudioProcessing
from frameloom.worker.pipelines.runner import run
from frameloom.worker.pipelines.speech import sizes
from frameloom.worker.pipelines.speech.sizes import BROUGHT, FILES, PACKAGED
from frameloom.worker.pipelines.speech_recognition import SpeechConfig, SpeechRecognition

BOTH = (SpeechRecognition, AudioProcessing)


def fits(config: dict[str, Any]) -> bool:
    return not list(Draft202012Validator(SpeechConfig.model_json_schema()).iter_errors(config))


def test_every_size_of_the_registry_has_its_files() -> None:
    known = registry()["speech_recognition"].config_schema["properties"]["whisper_model"]["enum"]
    assert set(FILES) == set(known) == {*PACKAGED, *BROUGHT}
    assert FILES["tiny.en"][0] == "whisper-tiny-en"
    assert FILES["turbo"] == FILES["large-v3-turbo"]
    assert [size for size in FILES if len(FILES[size]) == 5] == [
        "large",
        "large-v3",
        "large-v3-turbo",
        "turbo",
    ]


@pytest.mark.parametrize("pipeline", BOTH)
def test_what_nobody_brought_is_not_offered_and_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: type[SpeechRecognition | AudioProcessing]
) -> None:
    monkeypatch.setenv("FRAMELOOM_MODEL_DIR", str(tmp_path))
    schema = pipeline.Config.model_json_schema()
    assert schema["properties"]["whisper_model"]["enum"] == ["base", "tiny.en"]
    store = ModelStore(fetch=False)
    with pytest.raises(TaskError, match=r"models supply whisper-small FILE.*there are base and tiny\.en"):
        sizes.require(store, "small")


def test_what_was_brought_is_offered(tmp_path: Path) -> None:
    store = ModelStore(tmp_path, fetch=False)
    template = store.spec("whisper-base")
    for name in FILES["small"]:
        assert sizes.offered(store) == PACKAGED, "not before all of its files are there"
        store.register(replace(template, name=name, source=OperatorSource("here")))
    assert sizes.offered(store) == (*PACKAGED, "small")


@pytest.mark.parametrize(
    ("language", "code"), [(None, None), ("de", "de"), ("DE", "de"), ("pt-BR", "pt"), ("haw", "haw")]
)
def test_languages(language: str | None, code: str | None) -> None:
    assert fits({"language": language})
    assert SpeechConfig(language=language).code == code


@pytest.mark.parametrize("language", ["xx", "german", "yue", "de_AT", ""])
def test_languages_that_whisper_does_not_know(language: str) -> None:
    assert not fits({"language": language})
    with pytest.raises(TaskError, match="language"):
        SpeechRecognition.configured({"language": language}, ModelStore(fetch=False))


def test_another_language_is_refused_where_only_english_is_understood() -> None:
    wrong = {"whisper_model": "tiny.en", "language": "de"}
    (fault,) = Draft202012Validator(SpeechConfig.model_json_schema()).iter_errors(wrong)
    assert list(fault.absolute_path) == ["language"]
    assert "English only" in fault.schema["description"]
    with pytest.raises(TaskError, match=r"tiny\.en understands English only, not de"):
        SpeechRecognition.configured(wrong, ModelStore(fetch=False))
    for right in ({"whisper_model": "tiny.en", "language": "en-GB"}, {"whisper_model": "tiny.en"}):
        assert fits(right)
        SpeechRecognition.configured(right, ModelStore(fetch=False))


def heard(store: ModelStore, sample: Path, config: dict[str, Any]) -> tuple[str, dict[str, str]]:
    rows: list[Item] = []
    pipeline = SpeechRecognition.configured(config, store)
    summary = run(pipeline, sample, emit=lambda items, *_: rows.extend(items), progress=lambda _: None)
    return " ".join(re.findall("[a-z]+", " ".join(r.row["text"] for r in rows).lower())), summary.models


@pytest.mark.models
def test_a_size_that_was_brought_is_used(fetched: Callable[..., ModelStore], tmp_path: Path) -> None:
    """The smallest one, under the name of another."""
    user = fetched("silero-vad", *FILES["tiny.en"], "jfk")
    store = ModelStore(tmp_path, fetch=False)
    for name, real in zip(FILES["small.en"], FILES["tiny.en"], strict=True):
        spec = replace(user.spec(real), name=name, source=OperatorSource("here"))
        store.register(spec)
        (tmp_path / spec.place).parent.mkdir(parents=True)
        (tmp_path / spec.place).symlink_to(user.path(real))
    vad = tmp_path / store.spec("silero-vad").place
    vad.parent.mkdir(parents=True)
    shutil.copyfile(user.path("silero-vad"), vad)
    text, models = heard(store, user.path("jfk"), {"whisper_model": "small.en"})
    assert text.startswith("and so my fellow americans ask not what your country can do for you")
    assert set(models) == {"silero-vad", "whisper-small-en"}
