"""``frameloom-gateway``: runs the gateway with the settings of the environment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from frameloom.common import service
from frameloom.common.documents import Service
from frameloom.gateway import app

try:
    import uvloop
except ImportError:  # not on every platform; asyncio's own loop does
    _LOOP: Callable[[], asyncio.AbstractEventLoop] | None = None
else:
    _LOOP = uvloop.new_event_loop


def main() -> NoReturn:
    """Runs the gateway until it is asked to end."""
    service.run(Service.GATEWAY, app.main, loop_factory=_LOOP)


if __name__ == "__main__":
    main()
