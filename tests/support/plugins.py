"""Plug-ins as pip leaves them: a real one, and packages that are broken in every way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "frameloom-brightness"

_BASE = """
from frameloom.common.pipelines import ArtefactSpec, PipelineInfo
from frameloom.worker.frames import FrameRequest, Sampling
from frameloom.worker.pipelines import FramePipeline, PipelineConfig

class Good(FramePipeline):
    Config = PipelineConfig
    info = PipelineInfo(name="NAME", version="1", display_name="x", description="x")
    def request(self, media):
        return FrameRequest(Sampling.key_frames())
    def process(self, batch):
        return ()
    def artefacts(self):
        return (ArtefactSpec(suffix="_x.json"),)
"""
FAULTS = {
    "importing": ("import no_such_library\nThing = 1\n", "No module named 'no_such_library'"),
    "exiting": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "hollow": ("class Thing:\n    pass\n", "is no subclass of FramePipeline or SoundPipeline"),
    "unfinished": (
        "from frameloom.worker.pipelines import FramePipeline\nclass Thing(FramePipeline):\n    pass\n",
        "does not define artefacts, process, request",
    ),
    "anonymous": (_BASE + "class Thing(Good):\n    info = None\n", "has no `info`"),
    "demanding": (
        _BASE + "class Wants(PipelineConfig):\n    level: int\nclass Thing(Good):\n    Config = Wants\n",
        "settings without a default in its Config: level",
    ),
    "schemeless": (
        _BASE + "from pydantic import ConfigDict\nfrom collections.abc import Callable\n"
        "class Odd(PipelineConfig):\n    model_config = ConfigDict(arbitrary_types_allowed=True)\n"
        "    call: Callable[[], int] = lambda: 1\nclass Thing(Good):\n    Config = Odd\n",
        "has a Config that makes no JSON schema",
    ),
    "scene_detection": (
        _BASE.replace("NAME", "scene_detection") + "Thing = Good\n",
        "brings a pipeline named scene_detection, and there is one of that name already",
    ),
}
"""By the name of the entry point: the module, and what is told of it."""


def install(package: Path, folder: Path) -> Path:
    """A package, installed by pip into a folder, from nothing but its source."""
    words = ["-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target"]
    subprocess.run([sys.executable, *words, str(folder), str(package)], check=True, timeout=100)
    return folder


def install_broken(folder: Path) -> Path:
    """A package for every fault, as an installer would leave it."""
    for name, (source, _) in FAULTS.items():
        module = f"plug_{name}"
        facts = folder / f"{module}-1.0.dist-info"
        facts.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source)
        (facts / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n"
        )
        (facts / "entry_points.txt").write_text(f"[frameloom.pipelines]\n{name} = {module}:Thing\n")
    return folder


def listed_as(name: str) -> str:
    """Where a broken one is to be found in the list of pipelines: its name may be another's."""
    return name if name != "scene_detection" else f"{name}@plug-{name.replace('_', '-')}"
