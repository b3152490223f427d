"""The offers that submissions are held against: remembered for a moment, asked for again before a refusal."""

from __future__ import annotations

import pytest
from gateway_kit import offer

from frameloom.common.adapters.memory import MemoryFleetStore
from frameloom.common.clock import ManualClock
from frameloom.common.documents import PipelineOffer
from frameloom.gateway.errors import UnknownPipelineError
from frameloom.gateway.services.catalogue import Catalogue


class WatchedFleet(MemoryFleetStore):
    """Counts how often the offers are asked for."""

    def __init__(self) -> None:
        super().__init__(ManualClock(), 10.0)
        self.asked = 0

    async def offers(self) -> list[PipelineOffer]:
        self.asked += 1
        return await super().offers()


@pytest.fixture
async def fleet() -> WatchedFleet:
    made = WatchedFleet()
    await made.offer([offer("scene_detection")])
    return made


async def test_many_submissions_ask_once(fleet: WatchedFleet) -> None:
    catalogue = Catalogue(fleet)
    for _ in range(50):
        _, chosen = await catalogue.chosen(["scene_detection"])
        assert [entry.name for entry in chosen] == ["scene_detection"]
    assert fleet.asked < 5  # one, or a few on a machine that takes seconds for this


async def test_what_is_offered_a_moment_later_is_taken_at_once(fleet: WatchedFleet) -> None:
    catalogue = Catalogue(fleet)
    with pytest.raises(UnknownPipelineError):
        await catalogue.chosen(["brand_new"])
    await fleet.offer([offer("brand_new")])
    _, chosen = await catalogue.chosen(["brand_new"])
    assert [entry.name for entry in chosen] == ["brand_new"]
