"""How this run of the command speaks: set by the options, read where errors are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Mode:
    """One per process.

    Attributes:
        json: Results and errors as JSON on standard output.
        debug: A traceback after the lines of an error.
    """

    json: bool = False
    debug: bool = False

    def reset(self) -> None:
        """As at the start: a test runs several commands in one process."""
        self.json = self.debug = False

    def set_json(self, value: bool) -> bool:
        """Takes the option ``--json``."""
        self.json = value or self.json
        return value

    def set_debug(self, value: bool) -> bool:
        """Takes the option ``--debug``."""
        self.debug = value or self.debug
        return value


MODE = Mode()
