"""Health check inside a container: has the service of this host announced itself lately?

Exit 0 if so, 1 with the reason on standard error if not. A process whose event loop hangs stops announcing,
and one without a database can not serve, so this says more than that the process exists.
"""

from __future__ import annotations

import asyncio
import sys

from frameloom.common.adapters.mongo.client import Mongo
from frameloom.common.adapters.mongo.fleet import MongoFleetStore
from frameloom.common.errors import FrameloomError
from frameloom.common.settings import FleetSettings, MongoSettings, load

ANSWER_WITHIN_SECONDS = 10.0


async def alive(service: str) -> bool:
    """Whether this host's process of a service is among the live ones."""
    fleet = load(FleetSettings)
    settings = load(MongoSettings).model_copy(update={"connect_timeout_seconds": ANSWER_WITHIN_SECONDS})
    async with Mongo.connected(settings) as mongo:
        members = await MongoFleetStore(mongo, fleet.live_within_seconds).live()
    return any(member.host == fleet.host and member.service == service for member in members)


def main() -> int:
    """Runs the check for the service named on the command line."""
    service = sys.argv[1]
    try:
        if asyncio.run(alive(service)):
            return 0
    except FrameloomError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"no announcement of the {service} on this host of late\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
