"""What is to be drawn, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frameloom.client.drawing.film import Look, Made, Progress, make_film
from frameloom.client.drawing.findings import Findings
from frameloom.client.drawing.reading import read
from frameloom.client.drawing.sheet import FORMATS, Sheet, make_sheet
from frameloom.client.errors import UsageError

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts", ".mpg", ".mpeg", ".wmv", ".flv")


@dataclass(frozen=True, slots=True)
class Order:
    """What the user wants.

    Attributes:
        video: The original.
        results: A folder, a ZIP, or one file.
        film: Where the film goes; None: none.
        sheet: Where the contact sheet goes; None: none.
        look: What to draw, and how large.
    """

    video: Path
    results: Path
    film: Path | None
    sheet: Path | None = None
    look: Look = field(default_factory=Look)

    def check(self) -> None:
        """Looks at the targets before the work begins.

        Raises:
            UsageError: One can not be written so.
        """
        for target in filter(None, (self.film, self.sheet)):
            if target.is_dir():
                raise UsageError(f"{target} is a folder", hint="Name the file to write")
            if target.exists() and target.samefile(self.video):
                raise UsageError(f"{target} is the video itself", hint="Name another file with --out")
        if self.film is not None and self.film.suffix.lower() != ".mp4":
            raise UsageError(f"The film {self.film} has to end in .mp4", hint="It is written as MP4")
        if self.sheet is not None and self.sheet.suffix.lower() not in FORMATS:
            raise UsageError(f"The sheet {self.sheet} has to end in one of {', '.join(FORMATS)}")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of it."""

    findings: Findings
    film: Made | None
    sheet: Sheet | None

    def document(self) -> dict[str, Any]:
        """As the ``--json`` output shows it."""
        film, sheet = self.film, self.sheet
        return {
            "film": film
            and {
                "path": str(film.path),
                "frames": film.frames,
                "seconds": round(film.seconds, 3),
                "width": film.size[0],
                "height": film.size[1],
                "damaged_packets": film.damaged,
            },
            "sheet": sheet and {"path": str(sheet.path), "pictures": sheet.pictures, "scenes": sheet.scenes},
            "drawn": self.findings.counts(),
            "files": self.findings.files,
            "passed_over": [
                {"file": name, "reason": reason} for name, reason in self.findings.passed_over.items()
            ],
        }

    def paths(self) -> list[Path]:
        """What was written."""
        return [made.path for made in (self.sheet, self.film) if made is not None]

    def lines(self) -> list[str]:
        """The same in words, for people: what was drawn, and what was passed over."""
        counts = ", ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in self.findings.counts().items()
        )
        lines = [f"drawn: {counts}" if counts else "nothing was found that could be drawn"]
        if self.film is not None:
            lines.append(f"{self.film.frames} pictures, {self.film.seconds:.1f} s")
            if self.film.damaged:
                lines.append(f"{self.film.damaged} packets of the video are damaged and were passed over")
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.findings.passed_over.items():
            by_reason.setdefault(reason, []).append(name)
        return lines + [f"passed over: {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def make(order: Order, on_progress: Progress | None = None) -> Drawn:
    """Reads the results, and writes what was ordered.

    Raises:
        UsageError: The video or the results can not be read, or a target not be written so.
    """
    order.check()
    findings = read(order.results, order.video.stem)
    sheet = None if order.sheet is None else make_sheet(order.video, findings, order.sheet, order.look)
    film = (
        None if order.film is None else make_film(order.video, findings, order.film, order.look, on_progress)
    )
    return Drawn(findings, film, sheet)
