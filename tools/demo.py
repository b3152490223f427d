"""``make demo``: one real clip through the whole system on this machine, and where its annotations lie.

It runs what a user would: ``frameloom annotate`` over a sample clip. Nothing is special about the demo but
its clip, which shows both a cut between scenes and a face.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

_CLIP = "noface-face"
_BIN = Path(sys.executable).parent


def main() -> int:
    """Annotates the sample clip; the exit code is that of ``frameloom annotate``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pipelines", required=True)
    options = parser.parse_args()
    out = options.out.absolute()
    clip = out / "sample.mov"
    out.mkdir(parents=True, exist_ok=True)
    sample = [sys.executable, "-m", "frameloom.worker.models", "sample", _CLIP, "--out", str(clip)]
    subprocess.run(sample, check=True)
    return subprocess.run(
        [str(_BIN / "frameloom"), "annotate", str(clip), "--pipelines", options.pipelines, "--out", str(out)],
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
