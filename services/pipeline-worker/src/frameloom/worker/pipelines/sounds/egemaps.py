"""The 88 figures of eGeMAPS (Eyben et al. 2016) by openSMILE, an extra because of its licence.

audEERING's licence for openSMILE allows research and evaluation, no use in products: see docs/licences.md. So
it is never installed with Frameloom; whoever may use it installs the worker's extra ``opensmile``.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from typing import Any

from frameloom.common.pipelines import Row
from frameloom.worker.pipelines.sounds.figures import RATE_HZ, told
from frameloom.worker.sound.base import SoundBlock

MODULE = "opensmile"
MISSING = (
    "eGeMAPS needs openSMILE, whose licence is for research only: it is not installed on the worker. "
    "Its operator can install the extra frameloom-worker[opensmile]."
)


def installed() -> bool:
    """Whether openSMILE is there; looked for, not imported."""
    return importlib.util.find_spec(MODULE) is not None


MEANING = "Also the 88 figures of eGeMAPS, by openSMILE, for every stretch." if installed() else MISSING


class Egemaps:
    """The feature set; keeps nothing from one stretch to the next."""

    def __init__(self) -> None:
        opensmile: Any = importlib.import_module(MODULE)
        self._smile = opensmile.Smile(
            feature_set=opensmile.FeatureSet.eGeMAPSv02,
            feature_level=opensmile.FeatureLevel.Functionals,
        )

        self._names = {name: name.replace(".", "_") for name in self._smile.feature_names}

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        """Name as openSMILE has it, place in a row (where a dot would lead on), and type of each figure."""
        times = [(name, name, "number") for name in ("start", "end")]
        return times + [(name, place, "number") for name, place in self._names.items()]

    def row(self, block: SoundBlock) -> Row | None:
        """The figures of a stretch; None where it is too short for any."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # too short: told by what comes back
            found = self._smile.process_signal(block.samples, RATE_HZ).iloc[0]
        values = {place: told(float(found[name])) for name, place in self._names.items()}
        if all(value is None for value in values.values()):
            return None
        return {"start": round(block.start_seconds, 3), "end": round(block.end_seconds, 3), **values}
