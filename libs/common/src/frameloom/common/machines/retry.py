"""Which failures are tried again, how often, and after how long: a table, per pipeline where one differs."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from frameloom.common.documents.task import FailureCategory as Category


@dataclass(frozen=True, slots=True)
class Rule:
    """How one category of failure is retried."""

    attempts: int
    """Attempts in all, the first one counted: 1 means never again."""
    backoff_seconds: float = 0.0
    """Delay before the second attempt; doubles with each further one."""
    backoff_limit_seconds: float = 300.0


_NEVER = Rule(attempts=1)
_SOON = Rule(attempts=3, backoff_seconds=1.0)
_LATER = Rule(attempts=4, backoff_seconds=5.0)

DEFAULT_RULES: Mapping[Category, Rule] = {
    Category.VALIDATION: _NEVER,
    Category.PARSE_ERROR: _NEVER,
    Category.INPUT_MISSING: _NEVER,
    Category.DECODE_ERROR: _NEVER,
    Category.PROVIDER_TERMINAL: _NEVER,
    Category.CANCELLED: _NEVER,
    Category.SYSTEM: Rule(attempts=2, backoff_seconds=1.0),
    Category.WORKER_CRASH: _SOON,
    Category.WORKER_TIMEOUT: Rule(attempts=2, backoff_seconds=5.0),
    Category.WORKER_LOST: Rule(attempts=5, backoff_seconds=0.5),
    Category.WORKER_PROTOCOL: _SOON,
    Category.PROVIDER_TRANSIENT: _LATER,
    Category.GPU_OOM: _LATER,
    Category.MEMORY_PRESSURE: _LATER,
    Category.STORAGE_ERROR: _LATER,
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The table in force.

    Attributes:
        rules: By category; must name every one.
        overrides: By pipeline, then category, where a pipeline differs.
        jitter: Returns a number in [0, 1); the delay is drawn from the upper half of the backoff, so
            that tasks which failed together do not come back together.
    """

    rules: Mapping[Category, Rule] = field(default_factory=lambda: DEFAULT_RULES)
    overrides: Mapping[str, Mapping[Category, Rule]] = field(default_factory=dict)
    jitter: Callable[[], float] = random.random

    def rule(self, pipeline: str, category: Category) -> Rule:
        """The rule for a failure of this category in this pipeline."""
        return self.overrides.get(pipeline, {}).get(category, self.rules[category])

    def delay_seconds(self, pipeline: str, category: Category, attempt: int) -> float | None:
        """Seconds until the next attempt, or None when attempt number ``attempt`` was the last."""
        rule = self.rule(pipeline, category)
        if attempt >= rule.attempts:
            return None
        backoff = min(rule.backoff_seconds * 2 ** (attempt - 1), rule.backoff_limit_seconds)
        return float(backoff * (0.5 + self.jitter() / 2))
