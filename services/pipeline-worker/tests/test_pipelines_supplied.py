"""The pipelines whose weights operators bring, over tiny real networks: they give what these compute."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import worker_clips as clips
from supplied_models import head_file, picture_network, sound_network

from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore, ModelUnavailableError, supplied
from frameloom.worker.pipelines.face_laion_clip import LaionFace
from frameloom.worker.pipelines.face_openface3_embedding import OpenFaceEmbedding
from frameloom.worker.pipelines.heads import Heads, scores
from frameloom.worker.pipelines.laion_voice import LaionVoice
from frameloom.worker.pipelines.onnx_files import Network
from frameloom.worker.testing import Annotations, annotate

Fetch = Callable[..., ModelStore]
FULL = {
    "embedding": (6,),
    "landmarks": (98, 2),
    "action_units": (8,),
    "head_pose": (3,),
    "gaze": (2,),
    "emotion": (8,),
}


def store_with(
    cache: Path, files: dict[str, Path], full: ModelStore | None = None, *names: str
) -> ModelStore:
    """A store that has these files of an operator's, and some of another store's."""
    cache.mkdir(exist_ok=True)
    for name, file in files.items():
        supplied.supply(cache, file, name=name, version="tiny", licence="none")
    store = ModelStore(cache, fetch=False)
    for name in names:
        assert full is not None
        place = cache / full.spec(name).place
        place.parent.mkdir(parents=True)
        place.symlink_to(full.path(name))
    return store


@pytest.fixture
def five(fetched: Fetch, tmp_path: Path) -> Path:
    """A second of five people."""
    with av.open(str(fetched("multi-face").path("multi-face"))) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    height, width = (side - side % 2 for side in picture.shape[:2])
    cut = np.ascontiguousarray(picture[:height, :width])
    return clips.write(tmp_path / "five.mp4", lambda i: cut, size=(width, height), frames=25)


def document(found: Annotations, suffix: str) -> dict[str, Any]:
    made: dict[str, Any] = found.document(suffix)
    return made


@pytest.mark.models
@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_openface_gives_what_its_network_computes(
    fetched: Fetch, five: Path, tmp_path: Path, batch: int | str
) -> None:
    full = fetched("yunet", "multi-face")
    network = picture_network(tmp_path / "of.onnx", FULL, batch=batch)
    store = store_with(tmp_path / "cache", {"openface3": network}, full, "yunet")
    found = annotate(OpenFaceEmbedding, five, {"batch_size": 3}, models=store)
    assert found.models == {name: store.digest(name) for name in ("yunet", "openface3")}
    coco = document(found, "_openface3_analysis.json")
    assert "VideoAnnotator" in coco["info"]["description"]
    rows = coco["annotations"]
    assert len(rows) == 5
    for row in rows:
        assert not {"score", "face_id", "attributes"} & set(row), "the viewer would take it for other faces"
        assert (len(row["keypoints"]), row["num_keypoints"]) == (294, 98)
        features = row["openface3"]
        assert set(features) == {
            "confidence", "timestamp", "landmarks_2d", "action_units", "head_pose", "gaze", "emotion",
        }  # fmt: skip
        assert features["emotion"]["probabilities"][features["emotion"]["dominant"]] == pytest.approx(
            features["emotion"]["confidence"]
        )
        gaze = features["gaze"]
        length = sum(gaze[f"direction_{axis}"] ** 2 for axis in "xyz")
        assert length == pytest.approx(1, abs=0.001)
        # Place i of an output is i + 1 times the first, and a landmark's x is a fraction of the crop.
        pose = features["head_pose"]
        assert pose["yaw"] == pytest.approx(2 * pose["pitch"], abs=0.01)
    faces = document(found, "_openface3_detailed.json")["faces"]
    assert [face["annotation_id"] for face in faces] == [row["id"] for row in rows]
    for face in faces:
        vector = np.array(face["features"]["embedding"])
        np.testing.assert_allclose(vector, vector[0] * np.arange(1, 7), rtol=0.01, atol=0.01)
    assert len({tuple(face["features"]["embedding"]) for face in faces}) == 5, "each face has its own"


@pytest.mark.models
def test_openface_without_landmarks_has_none(fetched: Fetch, five: Path, tmp_path: Path) -> None:
    network = picture_network(tmp_path / "of.onnx", {"embedding": (6,)})
    full = fetched("yunet")
    store = store_with(tmp_path / "cache", {"openface3": network}, full, "yunet")
    rows = document(annotate(OpenFaceEmbedding, five, models=store), "_openface3_analysis.json")[
        "annotations"
    ]
    assert {row["num_keypoints"] for row in rows} == {0}
    assert set(rows[0]["keypoints"]) == {0}
    assert set(rows[0]["openface3"]) == {"confidence", "timestamp"}


@pytest.mark.models
@pytest.mark.parametrize(
    ("outputs", "told"),
    [({"other": (6,)}, "no output called embedding"), ({"embedding": (6,), "gaze": (3,)}, "output gaze")],
)
def test_another_network_is_refused_with_what_is_wrong(
    fetched: Fetch, five: Path, tmp_path: Path, outputs: dict[str, tuple[int, ...]], told: str
) -> None:
    network = picture_network(tmp_path / "of.onnx", outputs)
    store = store_with(tmp_path / "cache", {"openface3": network}, fetched("yunet"), "yunet")
    with pytest.raises(ModelUnavailableError, match=told):
        annotate(OpenFaceEmbedding, five, models=store)


@pytest.mark.models
def test_laion_faces_have_embeddings_and_ranked_emotions(fetched: Fetch, five: Path, tmp_path: Path) -> None:
    names = ("Amusement", "Bitterness", "Contentment")
    files = {
        "laion-face-encoder": picture_network(tmp_path / "e.onnx", {"embedding": (6,)}, side=48),
        "laion-face-heads": head_file(tmp_path / "h.safetensors", names, 6),
    }
    store = store_with(tmp_path / "cache", files, fetched("yunet"), "yunet")
    found = annotate(LaionFace, five, {"top_k_emotions": 2}, models=store)
    rows = document(found, "_laion_face_annotations.json")["annotations"]
    assert [row["face_id"] for row in rows] == [0, 1, 2, 3, 4]
    vectors = document(found, "_laion_embeddings.json")["embeddings"]
    for row, vector in zip(rows, vectors, strict=True):
        embedding = np.array(vector["embedding"])
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-4)
        hidden = max(0.0, 0.5 * embedding.sum() + 5) * 3  # what the heads' weights make of it
        emotions = row["attributes"]["emotions"]
        assert list(emotions) == ["Contentment", "Amusement"]
        assert emotions["Amusement"]["raw_score"] == pytest.approx(hidden, abs=0.01)
        assert emotions["Contentment"]["raw_score"] == pytest.approx(3 * hidden, abs=0.02)
        assert [entry["rank"] for entry in emotions.values()] == [1, 2]
        assert row["attributes"]["model_info"]["embedding_dim"] == 6
    plain = annotate(LaionFace, five, {"enable_emotion": False}, models=store)
    assert "attributes" not in document(plain, "_laion_face_annotations.json")["annotations"][0]
    assert set(plain.models) == {"yunet", "laion-face-encoder"}


@pytest.mark.models
def test_heads_for_another_encoder_are_refused(fetched: Fetch, five: Path, tmp_path: Path) -> None:
    files = {
        "laion-face-encoder": picture_network(tmp_path / "e.onnx", {"embedding": (6,)}),
        "laion-face-heads": head_file(tmp_path / "h.safetensors", ("Anger",), 7),
    }
    store = store_with(tmp_path / "cache", files, fetched("yunet"), "yunet")
    with pytest.raises(ModelUnavailableError, match="take 7 numbers, and get 6"):
        annotate(LaionFace, five, models=store)


def test_colours_are_normalised_as_the_file_says(tmp_path: Path) -> None:
    from frameloom.worker.pipelines.faces.crops import planes
    from frameloom.worker.pipelines.onnx_files import normal

    path = picture_network(
        tmp_path / "e.onnx",
        {"embedding": (1,)},
        side=8,
        metadata={"mean": "0.1,0.2,0.3", "std": "0.5,0.5,0.5"},
    )
    network = Network("e", path)
    mean, spread = normal(network, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 2] = 255  # frames are BGR, networks take RGB
    (value,) = network.run(planes(red, mean, spread), ("embedding",))["embedding"][0]
    assert value == pytest.approx(((1 - 0.1) * 1 + (0 - 0.2) * 2 + (0 - 0.3) * 3) / 0.5 / 10, abs=1e-5)


@pytest.mark.parametrize("content", [b"no network", b""])
def test_a_file_that_is_no_network(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    with pytest.raises(ModelUnavailableError, match="ONNX Runtime can not open it"):
        Network("openface3", broken)
    with pytest.raises(ModelUnavailableError, match="does not fit"):
        Heads("laion-face-heads", broken)


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"Anger.weight": (1, 4)}, "not called as a tensor of a head"),
        ({"Anger/0.weight": (1, 4)}, "lacks its weight or its bias"),
        ({"Anger/0.weight": (2, 4), "Anger/0.bias": (2,)}, "2 outputs, not one"),
        ({"Anger/0.weight": (1, 4), "Anger/0.bias": (3,)}, "not as long as its weight"),
        (
            {"A/0.weight": (1, 4), "A/0.bias": (1,), "B/0.weight": (1, 5), "B/0.bias": (1,)},
            "2 different lengths",
        ),
        (
            {"A/0.weight": (3, 4), "A/0.bias": (3,), "A/1.weight": (1, 4), "A/1.bias": (1,)},
            "does not follow",
        ),
    ],
)
def test_heads_of_another_kind(tmp_path: Path, tensors: dict[str, tuple[int, ...]], told: str) -> None:
    from safetensors.numpy import save_file

    save_file({name: np.zeros(shape, np.float32) for name, shape in tensors.items()}, str(tmp_path / "h"))
    with pytest.raises(ModelUnavailableError, match=told):
        Heads("laion-face-heads", tmp_path / "h")


def test_scores_are_ranked_shares() -> None:
    said = scores(("a", "b", "c"), np.array([0.0, 2.0, 1.0], np.float32))
    assert list(said) == ["b", "c", "a"]
    assert [one.rank for one in said.values()] == [1, 2, 3]
    assert sum(one.share for one in said.values()) == pytest.approx(1)


@pytest.fixture
def voices(tmp_path: Path) -> dict[str, Path]:
    return {
        "laion-voice-encoder": sound_network(tmp_path / "v.onnx"),
        "laion-voice-heads": head_file(tmp_path / "vh.safetensors", ("Joy", "Anger", "Calm"), 4),
    }


def tone(path: Path, seconds: float) -> Path:
    """A clip of noise that gets louder, with no speech in it."""
    samples = np.random.default_rng(3).normal(0, 0.05, round(seconds * 16_000))
    loud = np.clip(samples * np.linspace(0.1, 1, len(samples)) * 32767, -32768, 32767)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(loud.astype("<i2").tobytes())
    return path


def test_voice_segments_at_fixed_times(tmp_path: Path, voices: dict[str, Path]) -> None:
    store = store_with(tmp_path / "cache", voices)
    clip = tone(tmp_path / "a.wav", 10.4)
    config = {
        "max_segment_duration": 4.0,
        "segment_overlap": 1.0,
        "top_k_emotions": 2,
        "include_raw_scores": True,
        "exports": ["emotion", "webvtt", "csv"],
    }
    found = annotate(LaionVoice, clip, config, models=store)
    assert set(found.models) == {"laion-voice-encoder", "laion-voice-heads"}
    made = document(found, "_voice_emotions.json")
    segments = made["segments"]
    times = [(row["start_time"], row["end_time"]) for row in segments]
    assert times[:3] == [(0.0, 4.0), (3.0, 7.0), (6.0, 10.0)]
    assert times[3][0] == 9.0
    assert times[3][1] == pytest.approx(10.4, abs=0.05)
    assert made["metadata"]["total_segments"] == len(segments) == 4
    for row in segments:
        raw = row["raw_scores"]
        assert raw["Anger"] == pytest.approx(-2 * raw["Joy"], rel=0.001)
        assert raw["Calm"] == pytest.approx(3 * raw["Joy"], rel=0.001)
        assert [entry["rank"] for entry in row["emotions"].values()] == [1, 2]
    assert segments[0]["raw_scores"] != segments[2]["raw_scores"], "louder is something else"
    suffixes = [spec.suffix for spec in found.artefacts]
    assert suffixes[1:] == [".voice.emotion.json", "_voice_emotions.vtt", "_voice_emotions.csv"]


def test_a_segment_of_more_than_half_a_minute_is_heard_in_parts(
    tmp_path: Path, voices: dict[str, Path]
) -> None:
    store = store_with(tmp_path / "cache", voices)
    clip = tone(tmp_path / "a.wav", 62)
    whole = annotate(
        LaionVoice, clip, {"max_segment_duration": 60.0, "include_raw_scores": True}, models=store
    )
    parts = annotate(LaionVoice, clip, {"include_raw_scores": True}, models=store)
    joy = [row["raw_scores"]["Joy"] for row in document(parts, "_voice_emotions.json")["segments"]]
    first, second = document(whole, "_voice_emotions.json")["segments"]
    assert first["raw_scores"]["Joy"] == pytest.approx(sum(joy[:2]) / 2, rel=0.001)
    assert second["start_time"] == 60.0


@pytest.mark.models
def test_voice_segments_where_somebody_speaks(
    fetched: Fetch, tmp_path: Path, voices: dict[str, Path]
) -> None:
    full = fetched("silero-vad", "jfk")
    store = store_with(tmp_path / "cache", voices, full, "silero-vad")
    config = {"segmentation_mode": "vad", "max_segment_duration": 3.0, "min_segment_duration": 0.5}
    found = annotate(LaionVoice, full.path("jfk"), config, models=store)
    assert "silero-vad" in found.models
    segments = document(found, "_voice_emotions.json")["segments"]
    assert len(segments) >= 3
    for row, after in zip(segments, [*segments[1:], {"start_time": 11.1}], strict=True):
        assert 0.5 <= row["end_time"] - row["start_time"] <= 3.01
        assert row["end_time"] <= after["start_time"] + 1e-6
    assert 5 < sum(row["end_time"] - row["start_time"] for row in segments) < 11


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"include_transcription": True}, "Run speech_recognition in the same job"),
        ({"enable_diarization": True}, "Run speaker_diarization in the same job"),
        ({"enable_scene_alignment": True}, "Run scene_detection in the same job"),
        ({"segmentation_mode": "scene_based"}, "'fixed_interval' or 'vad'"),
        ({"cache_dir": "/somewhere"}, "No job names a folder"),
        ({"min_segment_duration": 31}, "more than max_segment_duration"),
        ({"segment_overlap": 5, "max_segment_duration": 4}, "more than max_segment_duration"),
    ],
)
def test_what_voice_can_not_do_is_refused(tmp_path: Path, config: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskError) as caught:
        LaionVoice.configured(config, ModelStore(tmp_path, fetch=False))
    assert told in caught.value.message


def test_the_large_heads_have_to_be_brought_too(tmp_path: Path, voices: dict[str, Path]) -> None:
    store = store_with(tmp_path / "cache", voices)
    with pytest.raises(ModelUnavailableError, match="supply laion-voice-heads-large FILE"):
        annotate(LaionVoice, tone(tmp_path / "a.wav", 2), {"model_size": "large"}, models=store)
    voices["laion-voice-heads-large"] = head_file(tmp_path / "large.safetensors", ("Awe", "Joy"), 4)
    store = store_with(tmp_path / "cache", voices)
    found = annotate(LaionVoice, tone(tmp_path / "a.wav", 2), {"model_size": "large"}, models=store)
    assert set(found.models) == {"laion-voice-encoder", "laion-voice-heads-large"}


def test_an_overlap_as_long_as_the_segment_goes_on_all_the_same(
    tmp_path: Path, voices: dict[str, Path]
) -> None:
    store = store_with(tmp_path / "cache", voices)
    config = {"max_segment_duration": 2.0, "segment_overlap": 2.0}
    found = annotate(LaionVoice, tone(tmp_path / "a.wav", 4), config, models=store)
    starts = [row["start_time"] for row in document(found, "_voice_emotions.json")["segments"]]
    assert starts[:4] == [0.0, 0.5, 1.0, 1.5]


def test_rows_are_json(tmp_path: Path, voices: dict[str, Path]) -> None:
    store = store_with(tmp_path / "cache", voices)
    found = annotate(LaionVoice, tone(tmp_path / "a.wav", 2), models=store)
    json.dumps(document(found, "_voice_emotions.json"), allow_nan=False)
