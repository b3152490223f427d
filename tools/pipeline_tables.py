"""The tables of settings in docs/pipelines, from the schemas themselves.

    python tools/pipeline_tables.py           # prints the tables
    python tools/pipeline_tables.py --write   # puts them into the pages

A page of a pipeline that is part of Frameloom has the table of its configuration model; the catalogue has
those of the built-in registry.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from frameloom.common.pipelines import PipelineInfo
from frameloom.common.registry import Names, registry
from frameloom.gateway.services.parameters import Schema, flat
from frameloom.worker.pipelines.audio_events import AudioEvents
from frameloom.worker.pipelines.audio_features import AudioFeatures
from frameloom.worker.pipelines.audio_processing import AudioProcessing
from frameloom.worker.pipelines.face_analysis import FaceAnalysis
from frameloom.worker.pipelines.face_laion_clip import LaionFace
from frameloom.worker.pipelines.face_openface3_embedding import OpenFaceEmbedding
from frameloom.worker.pipelines.laion_voice import LaionVoice
from frameloom.worker.pipelines.ocr import Ocr
from frameloom.worker.pipelines.person_tracking import PersonTracking
from frameloom.worker.pipelines.scene_detection import SceneDetection
from frameloom.worker.pipelines.speaker_diarization import SpeakerDiarization
from frameloom.worker.pipelines.speech_recognition import SpeechRecognition
from frameloom.worker.pipelines.video_quality import VideoQuality

FOLDER = Path(__file__).parents[1] / "docs" / "pipelines"
BEGIN = "<!-- settings: written by tools/pipeline_tables.py -->"
END = "<!-- end of settings -->"
OURS = (
    FaceAnalysis.info,
    PersonTracking.info,
    SceneDetection.info,
    SpeechRecognition.info,
    SpeakerDiarization.info,
    AudioProcessing.info,
    AudioEvents.info,
    AudioFeatures.info,
    Ocr.info,
    VideoQuality.info,
    LaionFace.info,
    OpenFaceEmbedding.info,
    LaionVoice.info,
)
HEAD = "| key | type | default | possible | meaning |\n| --- | --- | --- | --- | --- |"


def table(info: PipelineInfo) -> str:
    """The settings of one pipeline."""
    return "\n".join([HEAD, *_rows(info.config_schema, info.config_schema.get("$defs", {}), "")])


def catalogue() -> str:
    """Every entry of the registry."""
    names = Names(registry().values())
    return "\n\n".join(_entry(info, names) for info in registry().values())


def pages() -> dict[Path, str]:
    """What belongs between the marks of each page."""
    found = {FOLDER / f"{info.name}.md": table(info) for info in OURS}
    return {**found, FOLDER / "README.md": catalogue()}


def _entry(info: PipelineInfo, names: Names) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in names.aliases_of(info.name))
    outputs = "; ".join(f"{output.format} ({', '.join(output.types)})" for output in info.outputs)
    own = f" Frameloom's own differs: [{info.name}]({info.name}.md)." if info.name in _own() else ""
    reads = " and ".join(info.modalities)
    facts = [f"Reads {reads}; {', '.join(info.tasks)}; writes {outputs}. Stability: {info.stability}."]
    if aliases:
        facts.append(f"Also called {aliases}.")
    return f"### {info.name}\n\n{info.description}{own} {' '.join(facts)}\n\n{table(info)}"


def _own() -> set[str]:
    return {info.name for info in OURS}


def _rows(schema: Schema, defs: Schema, above: str) -> Iterator[str]:
    for key, raw in schema.get("properties", {}).items():
        part = flat(raw, defs)
        if "properties" in part:
            yield _row(above + key, "object", "", "", part)
            yield from _rows(part, defs, f"{above}{key}.")
        else:
            kind = f"{part['type']} or null" if part.get("nullable") else part["type"]
            yield _row(above + key, kind, _code(part.get("default")), _possible(part), part)


def _row(key: str, kind: str, default: str, possible: str, part: Schema) -> str:
    effect = part.get("x-without-effect")
    meaning = str(part.get("description", ""))
    if effect:
        when = ", ".join(_code(value) for value in effect.get("when", ()))
        meaning += f" {when + ' has' if when else 'Has'} no effect: {effect['reason']}."
    cells = [f"`{key}`", kind, default, possible, meaning]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _possible(part: Schema) -> str:
    if "const" in part:
        return f"only {_code(part['const'])}"
    if "enum" in part:
        return ", ".join(_code(value) for value in part["enum"])
    words = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
    limits = [word.format(_number(part[name])) for name, word in words.items() if name in part]
    if "maxLength" in part:
        limits.append(f"{part['maxLength']} characters")
    if "x-at-most" in part:
        limits.append(f"≤ `{part['x-at-most']}`")
    return ", ".join(limits)


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _code(value: Any) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def main() -> None:
    """Prints the tables, or writes them into their pages."""
    for path, told in pages().items():
        if "--write" not in sys.argv:
            print(f"{path.name}\n\n{told}\n")
            continue
        text = path.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        after = rest.partition(END)[2]
        path.write_text(f"{before}{BEGIN}\n\n{told}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
