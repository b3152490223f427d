"""What ``frameloom doctor`` looks at: each check gives findings, and none raises for what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor.

    Attributes:
        name: What was looked at.
        verdict: ok; warn: something will not work or not well; fail: nothing will.
        message: What was found.
        advice: What to do about it.
        facts: For a program; JSON types only.
    """

    name: str
    verdict: Verdict
    message: str
    advice: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As the ``--json`` output shows it."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "message": self.message,
            "advice": self.advice,
            "facts": self.facts,
        }
