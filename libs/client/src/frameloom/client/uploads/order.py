"""What is asked for with a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Submission:
    """What is asked for, beside the file.

    Attributes:
        pipelines: Names; none for the server's default.
        config: Settings by pipeline.
    """

    pipelines: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, str]:
        """As the fields of a form."""
        form: dict[str, str] = {}
        if self.pipelines:
            form["selected_pipelines"] = ",".join(self.pipelines)
        if self.config:
            form["config"] = json.dumps(self.config)
        return form
