"""The announcements in MongoDB: processes, and the pipelines that workers offer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pymongo import ASCENDING, UpdateOne

from frameloom.common.adapters.mongo.client import Mongo, translated
from frameloom.common.adapters.mongo.codec import decode, encode, within
from frameloom.common.documents import FleetMember, PipelineOffer, Service

_FORGET_AFTER_SECONDS = 3600


class MongoFleetStore:
    """The fleet store on MongoDB."""

    def __init__(self, mongo: Mongo, live_within_seconds: float) -> None:
        self._members = mongo.collection("fleet")
        self._offers = mongo.collection("pipelines")
        self._live_within_seconds = live_within_seconds

    async def create_indexes(self) -> None:
        """Processes that died without a word are forgotten after an hour."""
        with translated():
            await self._members.create_index(
                [("seen_at", ASCENDING)], expireAfterSeconds=_FORGET_AFTER_SECONDS
            )

    async def announce(self, member: FleetMember) -> None:
        """Says that a process lives; the database stamps the time."""
        fields = encode(member)
        key = fields.pop("_id")
        stage = {name: {"$literal": value} for name, value in fields.items()} | {"seen_at": "$$NOW"}
        with translated():
            await self._members.update_one({"_id": key}, [{"$set": stage}], upsert=True)

    async def leave(self, member_id: str) -> None:
        """The process ends in order."""
        with translated():
            await self._members.delete_one({"_id": member_id})

    async def live(self) -> list[FleetMember]:
        """Processes seen lately, by the database's clock."""
        with translated():
            found = await self._members.find(within("seen_at", self._live_within_seconds)).to_list()
        return [decode(FleetMember, row) for row in found]

    async def last_seen(self) -> dict[str, datetime]:
        """By pipeline, when a worker that runs it was seen last; of those that are not forgotten."""
        with translated():
            found = await self._members.find(
                {"service": Service.WORKER.value, "seen_at": {"$ne": None}}, {"pipelines": 1, "seen_at": 1}
            ).to_list()
        rows = sorted(found, key=lambda row: row["seen_at"])
        return {name: row["seen_at"] for row in rows for name in row.get("pipelines", ())}

    async def offer(self, offers: Sequence[PipelineOffer]) -> None:
        """Says which pipelines there are."""
        if not offers:
            return
        updates = []
        for offer in offers:
            fields = encode(offer)
            updates.append(UpdateOne({"_id": fields.pop("_id")}, {"$set": fields}, upsert=True))
        with translated():
            await self._offers.bulk_write(updates, ordered=False)

    async def offers(self) -> list[PipelineOffer]:
        """Every pipeline that was ever offered, by name."""
        with translated():
            found = await self._offers.find({}, sort=[("_id", ASCENDING)]).to_list()
        return [decode(PipelineOffer, row) for row in found]
