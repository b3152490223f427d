"""Ten invented events for those who write a client, in VideoAnnotator's shapes; each says it is a mock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from frameloom.common.clock import Clock

_COUNT = 10
_LOG_AT = 5
_FIRST_PERCENT = 15.5
_STEP_PERCENT = 8
_MOST_PERCENT = 90
_DEFAULT_JOB = "test-job-123"


class MockEvents:
    """Sends them with a pause between."""

    def __init__(self, clock: Clock, pause_seconds: float) -> None:
        self._clock = clock
        self._pause_seconds = pause_seconds

    async def stream(self, job_id: str | None) -> AsyncGenerator[bytes, None]:
        """The events as they go over the wire; the last one says that the connection ends."""
        for number in range(1, _COUNT + 1):
            kind, data = self._event(number, job_id or _DEFAULT_JOB)
            yield _encoded(f"mock:{number}", kind, data)
            await asyncio.sleep(self._pause_seconds)
        yield _encoded(f"mock:{_COUNT + 1}", "connection.close", {"message": "Mock session complete"})

    def _event(self, number: int, job_id: str) -> tuple[str, dict[str, Any]]:
        now = self._clock.now().isoformat()
        if number == _LOG_AT:
            return "job.log", {
                "job_id": job_id,
                "level": "INFO",
                "message": "Processing frame 150/300",
                "timestamp": now,
            }
        if number == _COUNT:
            return "job.complete", {
                "job_id": job_id,
                "artifacts": ["annotations.json", "results.coco"],
                "completion_time": now,
            }
        progress = _FIRST_PERCENT + (number * _STEP_PERCENT if number > 1 else 0)
        return "job.update", {
            "job_id": job_id,
            "status": "processing",
            "progress": min(progress, _MOST_PERCENT),
            "timestamp": now,
        }


def _encoded(event_id: str, kind: str, data: dict[str, Any]) -> bytes:
    """Without a name, as the original sends them: a client hears them as plain messages."""
    body = {"type": kind, "mock": True, "data": {**data, "mock": True}}
    return f"id: {event_id}\ndata: {json.dumps(body)}\n\n".encode()
