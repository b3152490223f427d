"""Result files out of a folder or a ZIP; what can not be drawn is passed over, with a word."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from frameloom.client.drawing import captions
from frameloom.client.drawing.findings import Findings
from frameloom.client.drawing.rows import RowReader
from frameloom.client.errors import UsageError

_MEDIA = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".wav", ".mp3", ".m4a", ".flac", ".ogg", ".ts"}
_PICTURES = {".jpg", ".jpeg", ".png"}
_DRAWN = {".json", ".vtt", ".srt", ".rttm"}
_OTHER_FORMATS = {".csv", ".parquet", ".txt", ".xml", ".eaf", ".textgrid", ".cha"}
_AMBLE = "the same rows in another format"

Opener = Callable[[], IO[bytes]]


def read(place: Path, stem: str) -> Findings:
    """All that the result files of a video say.

    Args:
        place: A folder, a ZIP, or one file.
        stem: Of the video's name: where files of several videos lie together, its own are taken.

    Raises:
        UsageError: There is no such place, or no result file in it.
    """
    found = Findings()
    with _files(place, stem) as files:
        ours = {name: opener for name, opener in files.items() if _of_video(name, stem)}
        for name, opener in sorted((ours or files).items(), key=_captions_first):
            _read(found, name, stem, opener)
    if not found.files and not found.passed_over:
        raise UsageError(
            f"There is no result file in {place}",
            hint="Name the folder that `frameloom annotate` or `frameloom results --out` has written to",
        )
    found.settle()
    return found


@contextmanager
def _files(place: Path, stem: str) -> Iterator[dict[str, Opener]]:
    """Names without folders, and how to open each."""
    if place.is_dir():
        yield _of_folder(place, stem)
    elif zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
            paths = _named([Path(name) for name in members if _is_result(Path(name))])
            infos = {name: members[path.as_posix()] for name, path in paths.items()}
            yield {name: lambda info=info: archive.open(info) for name, info in infos.items()}  # type: ignore[misc]
    elif place.is_file():
        yield {place.name: lambda: place.open("rb")}
    else:
        raise UsageError(f"{place} does not exist", hint="Name a folder, a ZIP or a result file")


def _of_folder(folder: Path, stem: str) -> dict[str, Opener]:
    """Its files; if none has the video's name, also those one and two folders down, as in an unpacked ZIP."""
    levels = [
        [path for path in sorted(folder.glob(pattern)) if path.is_file() and _is_result(path)]
        for pattern in ("*", "*/*", "*/*/*")
    ]
    here = [path for path in levels[0] if _of_video(path.name, stem)]
    below = [path for level in levels for path in level if _of_video(path.name, stem)]
    paths = here or below or next((level for level in levels if level), [])
    return {name: lambda path=path: path.open("rb") for name, path in _named(paths).items()}  # type: ignore[misc]


def _named(paths: list[Path]) -> dict[str, Path]:
    """By their names; of two alike, as in a job's ZIP, the second with its folder."""
    found: dict[str, Path] = {}
    for path in paths:
        found[path.name if path.name not in found else f"{path.parent.name}/{path.name}"] = path
    return found


def _of_video(name: str, stem: str) -> bool:
    return name.rpartition("/")[2].startswith((f"{stem}_", f"{stem}."))


def _is_result(path: Path) -> bool:
    return path.suffix.lower() in _DRAWN | _OTHER_FORMATS and not path.name.startswith(".")


def _captions_first(item: tuple[str, Opener]) -> tuple[bool, str]:
    """A transcript in JSON says again what is in the captions, and an ``.srt`` file too."""
    return not item[0].lower().endswith(".vtt"), item[0]


def _read(found: Findings, name: str, stem: str, opener: Opener) -> None:
    suffix = Path(name).suffix.lower()
    if suffix in _OTHER_FORMATS:
        found.passed_over[name] = _AMBLE
        return
    before = len(found.cues)
    try:
        with opener() as stream:
            if suffix == ".json":
                _read_json(found, name, stem, stream)
            else:
                _read_lines(found, name, suffix, stream)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        found.passed_over[name] = f"it can not be read: {error}"
    if before and suffix in {".json", ".srt"}:
        del found.cues[before:]
    if name not in found.passed_over or name in found.files:
        found.files = list(dict.fromkeys([*found.files, name]))


def _read_lines(found: Findings, name: str, suffix: str, stream: IO[bytes]) -> None:
    lines = io.TextIOWrapper(stream, encoding="utf-8", errors="replace")
    if suffix == ".rttm":
        spans = list(captions.turns(lines))
        found.lanes.setdefault("speakers", []).extend(spans)
        some = bool(spans)
    else:
        cues = list(captions.cues(lines))
        found.cues.extend(cues)
        some = bool(cues)
    if not some:
        found.passed_over[name] = "there is nothing in it"


def _read_json(found: Findings, name: str, stem: str, stream: IO[bytes]) -> None:
    import ijson  # noqa: PLC0415 - only where JSON is drawn

    title = Path(name).stem.removeprefix(f"{stem}_").replace("_", " ")
    reader = RowReader(found, title)
    try:
        for list_name, row in _rows(stream):
            reader.take(list_name, row)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        what = "what comes before is drawn" if reader.taken else "nothing of it can be drawn"
        found.passed_over[name] = f"it is damaged or cut off, {what}: {' '.join(str(error).split())}"
        if reader.taken:
            found.files.append(name)
    reader.close()
    if not reader.taken and not reader.known and name not in found.passed_over:
        found.passed_over[name] = "there is nothing in it that can be drawn"


def _rows(stream: IO[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects in the top-level lists of a JSON file, each with the name of its list; one at a time."""
    import ijson  # noqa: PLC0415

    builder, inside = None, ""
    for prefix, event, value in ijson.parse(stream, use_float=True):
        if builder is None:
            if event == "start_map" and (
                prefix == "item" or (prefix.endswith(".item") and prefix.count(".") == 1)
            ):
                builder, inside = ijson.ObjectBuilder(), prefix
                builder.event(event, value)
            continue
        builder.event(event, value)
        if event == "end_map" and prefix == inside:
            yield inside.removesuffix("item").rstrip("."), builder.value
            builder = None
