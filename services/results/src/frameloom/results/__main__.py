"""Entry point: ``frameloom-results``."""

from __future__ import annotations

from frameloom.common.documents import Service
from frameloom.common.service import run
from frameloom.results.app import main as results


def main() -> None:
    """Runs the results service."""
    run(Service.RESULTS, results)


if __name__ == "__main__":
    main()
