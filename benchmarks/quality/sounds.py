"""How well sounds, words, languages and speakers are told, and how long that takes.

    python benchmarks/quality/sounds.py [--librivox FOLDER] [--languages FOLDER]

`--librivox` is the folder `librivox` of Debian's package pocketsphinx-testdata (five sentences with their
text), `--languages` the folder `samples/audio` of the wheel pytest-audioeval (sentences in nine languages,
made by a machine). Without them these figures are left out. Exits with 1 if one is below what is wanted.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from judged import Judged
from scipy.optimize import linear_sum_assignment

from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import Pipeline, run
from frameloom.worker.pipelines.audio_events import AudioEvents
from frameloom.worker.pipelines.audio_features import AudioFeatures
from frameloom.worker.pipelines.sounds.yamnet import FILES as YAMNET
from frameloom.worker.pipelines.speaker_diarization import SpeakerDiarization
from frameloom.worker.pipelines.speech import activity
from frameloom.worker.pipelines.speech.sizes import FILES as WHISPER
from frameloom.worker.pipelines.speech.utterances import UtteranceCutter
from frameloom.worker.pipelines.speech_recognition import SpeechRecognition
from frameloom.worker.sound import SoundRequest, open_sound

CLASSES = {  # sample: (class, least mean score: what a first look at the model gave, less 0.02)
    "jfk": ("Speech", 0.91),
    "endgame": ("Speech", 0.91),
    "saxophone": ("Music", 0.72),
    "cantina": ("Music", 0.72),
    "wolfgang": ("Silence", 0.97),
}
JFK = (
    "and so my fellow americans ask not what your country can do for you ask what you can do for your country"
)
SLIPS = {"a more a amiable": "a more amiable"}  # of the transcription; it is not what is read
COLLAR_SECONDS = 0.25
STEP_SECONDS = 0.01

Row = dict[str, Any]
Turns = list[tuple[float, float, str]]


def rows_of(kind: type[Pipeline], path: Path, config: Row) -> tuple[dict[str, list[Row]], float, float]:
    """Rows by list, seconds of sound, seconds of the processor."""
    rows: dict[str, list[Row]] = {}
    pipeline = kind.configured(config, ModelStore())
    pipeline.load()  # once for the process; not part of the time
    begin = time.process_time()
    summary = run(
        pipeline,
        path,
        emit=lambda items, *_: [rows.setdefault(item.list, []).append(item.row) for item in items],
        progress=lambda _: None,
    )
    return rows, summary.media_seconds, time.process_time() - begin


def classes(store: ModelStore, judged: Judged) -> None:
    """Mean score of the class that is known to be heard, and the time that its events cover."""
    judged.head("audio_events: mean score of what is known to be heard")
    spent = seconds = 0.0
    for sample, (label, wanted) in CLASSES.items():
        rows, length, processor = rows_of(AudioEvents, store.path(sample), {"top_k": 50})
        weights = [row["end"] - row["start"] for row in rows["moments"]]
        scores = [row["scores"].get(label, 0.0) for row in rows["moments"]]
        judged.at_least(f"{sample}: {label}", float(np.average(scores, weights=weights)), wanted)
        covered = sum(row["end"] - row["start"] for row in rows["events"] if row["label"] == label)
        judged.at_least(f"{sample}: share of time in its events", covered / length, 0.7)
        spent, seconds = spent + processor, seconds + length
    judged.told("processor time", spent / seconds * 1000, "ms for a second of sound")


def transcript(path: Path, config: Row) -> tuple[str, str | None, float, float]:
    """Text, language, seconds of sound and of the processor."""
    rows, length, processor = rows_of(SpeechRecognition, path, config)
    said = rows.get("segments", [])
    languages = Counter(row["language"] for row in said)
    language = languages.most_common(1)[0][0] if languages else None
    return " ".join(row["text"] for row in said), language, length, processor


def errors(reference: str, heard: str) -> tuple[int, int]:
    """Wrong, missing and added words, and words of the reference."""
    want, have = _words(reference), _words(heard)
    line = list(range(len(have) + 1))
    for place, word in enumerate(want, start=1):
        above, line[0] = line[:], place
        for column, other in enumerate(have, start=1):
            changed = above[column - 1] + (word != other)
            line[column] = min(changed, above[column] + 1, line[column - 1] + 1)
    return line[-1], len(want)


def _words(text: str) -> list[str]:
    return [{"mr": "mister"}.get(word, word) for word in re.findall(r"[^\W\d_]+", text.lower())]


def words(store: ModelStore, librivox: Path | None, judged: Judged) -> None:
    """Word error rates of both packaged sizes."""
    judged.head("speech_recognition: word error rate, %")
    for size, most in (("tiny.en", 3.0), ("base", 0.0)):  # tiny.en hears "old-sposed" for "ill disposed"
        config = {"whisper_model": size}
        text, _, seconds, spent = transcript(store.path("jfk"), config)
        wrong, count = errors(JFK, text)
        judged.at_most(f"{size}: jfk, {count} words", 100 * wrong / count, 0.0)
        if librivox is not None:
            total = Counter[str]()
            for path, reference in _sentences(librivox):
                text, _, length, processor = transcript(path, config)
                wrong, count = errors(reference, text)
                total.update(wrong=wrong, count=count)
                seconds, spent = seconds + length, spent + processor
            rate = 100 * total["wrong"] / total["count"]
            judged.at_most(f"{size}: LibriVox, {total['count']} words", rate, most)
        judged.told(f"{size}: processor time", spent / seconds, "s for a second of sound")


def _sentences(folder: Path) -> Iterator[tuple[Path, str]]:
    for line in (folder / "transcription").read_text("utf-8").splitlines():
        found = re.fullmatch(r"<s> (.*) </s> \((.*)\)", line)
        if found:
            text = found[1]
            for slip, meant in SLIPS.items():
                text = text.replace(slip, meant)
            yield folder / f"{found[2]}.wav", text


def languages(folder: Path, judged: Judged) -> None:
    """How often the language is recognised, without being given."""
    judged.head("speech_recognition: languages recognised by base")
    right = count = 0
    for path in sorted(folder.glob("*/*.wav")):
        _, language, _, _ = transcript(path, {})
        count += 1
        right += language == path.parent.name
        if language != path.parent.name:
            print(f"  {path.parent.name}/{path.stem}: taken for {language}")
    judged.at_least(f"right of {count} sentences, %", 100 * right / count, 80.0)


def speakers(store: ModelStore, judged: Judged) -> None:
    """Diarisation error on the telephone sample: collar 0.25 s, overlaps scored."""
    judged.head("speaker_diarization: error rate on two-speakers, %")
    truth = _rttm(store.path("two-speakers-turns"))
    for told, config in (("number given", {"min_speakers": 2, "max_speakers": 2}), ("number found", {})):
        rows, seconds, spent = rows_of(SpeakerDiarization, store.path("two-speakers"), config)
        turns = [(row["start"], row["end"], row["speaker"]) for row in rows["turns"]]
        judged.at_most(told, 100 * diarisation_error(truth, turns, seconds), 7.5)
    judged.told("the same without any collar", 100 * diarisation_error(truth, turns, seconds, 0.0))
    judged.told("processor time", spent / seconds, "s for a second of sound")


def _rttm(path: Path) -> Turns:
    fields = (line.split() for line in path.read_text("utf-8").splitlines() if line.startswith("SPEAKER"))
    return [(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in fields]


def diarisation_error(truth: Turns, turns: Turns, seconds: float, collar: float = COLLAR_SECONDS) -> float:
    """Missed, false and mistaken speech over all speech, by the best pairing of speakers.

    So many seconds on both sides of every edge of the reference do not count.
    """
    want, have = _grid(truth, seconds), _grid(turns, seconds)
    counted = np.ones(want.shape[1], bool)
    for begin, end, _ in truth:
        for edge in (begin, end):
            low, high = (round((edge + side * collar) / STEP_SECONDS) for side in (-1, 1))
            counted[max(low, 0) : high] = False
    want, have = want[:, counted], have[:, counted]
    shared = want.astype(int) @ have.T.astype(int)
    rows, columns = linear_sum_assignment(-shared)
    right = shared[rows, columns].sum()
    wrong = np.maximum(want.sum(axis=0), have.sum(axis=0)).sum() - right
    return float(wrong / want.sum())


def _grid(turns: Turns, seconds: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    names = sorted({name for *_, name in turns})
    grid = np.zeros((len(names), round(seconds / STEP_SECONDS)), bool)
    for begin, end, name in turns:
        grid[names.index(name), round(begin / STEP_SECONDS) : round(end / STEP_SECONDS)] = True
    return grid


def speech(store: ModelStore, judged: Judged) -> None:
    """Seconds of speech that Silero VAD finds, against those of the reference."""
    judged.head("voice activity on two-speakers")
    truth = _grid([(begin, end, "") for begin, end, _ in _rttm(store.path("two-speakers-turns"))], 30.0)
    print(f"  speech in the reference: {truth.sum() * STEP_SECONDS:.2f} s")
    begin = time.process_time()
    for told, pad, wanted in (("30 ms around spans", 0.03, 0.5), ("as used here, 100 ms", 0.1, 0.75)):
        cutter = UtteranceCutter(activity.scorer(store), activity.Rules(pad_seconds=pad))
        with open_sound(store.path("two-speakers"), SoundRequest()) as source:
            found = [utterance for block in source for utterance in cutter.feed(block.samples)]
        found += cutter.flush()
        spans = [(s.begin / activity.RATE_HZ, s.end / activity.RATE_HZ, "") for u in found for s in u.spans]
        have = _grid(spans, 30.0)
        judged.at_most(f"{told}: missed, s", float((truth & ~have).sum()) * STEP_SECONDS, 0.5)
        more = float(have.sum()) - float(truth.sum())
        judged.at_most(f"{told}: found more than there is, s", more * STEP_SECONDS, wanted)
    judged.told("processor time", (time.process_time() - begin) / 60.0, "s for a second of sound")


def features(store: ModelStore, judged: Judged) -> None:
    """Share of time with a pitch where there is speech, and speed. There is no truth for more."""
    judged.head("audio_features on two-speakers")
    for pitch in ("pyin", "yin"):
        rows, seconds, spent = rows_of(AudioFeatures, store.path("two-speakers"), {"pitch": pitch})
        if pitch == "pyin":
            truth = _grid([(a, b, "") for a, b, _ in _rttm(store.path("two-speakers-turns"))], 30.01)[0]
            voiced = [
                (row["f0_hz"] is not None, truth[round(row["time"] / STEP_SECONDS)]) for row in rows["frames"]
            ]
            for told, inside in (("in speech", True), ("elsewhere", False)):
                share = [100.0 * has for has, there in voiced if there == inside]
                judged.told(f"rows with a pitch {told}", float(np.mean(share)), "%")
        judged.told(f"{pitch}: processor time", spent / seconds, "s for a second of sound")


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--librivox", type=Path)
    parser.add_argument("--languages", type=Path)
    arguments = parser.parse_args()
    store, judged = ModelStore(), Judged()
    samples = [*CLASSES, "two-speakers", "two-speakers-turns"]
    models = [*YAMNET, activity.MODEL, "resemblyzer", *WHISPER["tiny.en"], *WHISPER["base"]]
    store.pull([*models, *samples])
    classes(store, judged)
    speech(store, judged)
    speakers(store, judged)
    words(store, arguments.librivox, judged)
    if arguments.languages:
        languages(arguments.languages, judged)
    features(store, judged)
    for name in ("librivox", "languages"):
        if getattr(arguments, name) is None:
            print(f"--{name} was not named: not measured", file=sys.stderr)
    return judged.end()


if __name__ == "__main__":
    sys.exit(main())
