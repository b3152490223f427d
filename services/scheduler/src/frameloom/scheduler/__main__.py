"""Entry point: ``frameloom-scheduler``."""

from __future__ import annotations

from frameloom.common.documents import Service
from frameloom.common.service import run
from frameloom.scheduler.app import main as scheduler


def main() -> None:
    """Runs the scheduler."""
    run(Service.SCHEDULER, scheduler)


if __name__ == "__main__":
    main()
