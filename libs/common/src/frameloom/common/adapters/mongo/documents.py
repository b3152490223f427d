"""What the stores of jobs and tasks have in common: reading one, changing one, finding some by the clock.

How it is asked matters on servers that are not MongoDB: the embedded one reads a whole collection for a
find-and-modify, even by ``_id``, and for a query that has ``$expr`` beside indexed fields. So a change is an
update by ``_id``, with a read after it where the database's clock, or a list that others empty, has a part in
it; and a query by the clock is a pipeline of two matches, the indexed first.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from frameloom.common.adapters.mongo.client import Collection, translated
from frameloom.common.adapters.mongo.codec import Bson, decode, filter_of, update_of
from frameloom.common.documents.base import Document
from frameloom.common.machines.transition import Change

D = TypeVar("D", bound=Document)


class Documents(Generic[D]):
    """One collection of documents that change by compare-and-set."""

    def __init__(self, collection: Collection, kind: type[D]) -> None:
        self._collection = collection
        self._kind = kind

    async def get(self, key: str) -> D | None:
        """The document, or None."""
        return await self._read(key)

    async def apply(self, change: Change[D]) -> D | None:
        """Writes a change if the document is still as it was and the guard holds."""
        statement = update_of(change)
        with translated():
            done = await self._collection.update_one(filter_of(change), statement)
        if not done.matched_count:
            return None
        if isinstance(statement, dict) and "$push" not in statement:
            return change.after  # nothing in it depends on what only the database knows
        written = await self._read(change.after.id)
        # Somebody may have changed it once more already: then this change is still what was written here.
        return written if written is not None and written.rev == change.after.rev else change.after

    async def _read(self, key: str) -> D | None:
        with translated():
            found = await self._collection.find_one({"_id": key})
        return decode(self._kind, found) if found else None

    async def _find(
        self, condition: Bson, *, order: list[tuple[str, int]] | None = None, limit: int = 0
    ) -> list[D]:
        with translated():
            found = await self._collection.find(condition, sort=order, limit=limit).to_list()
        return [decode(self._kind, stored) for stored in found]

    async def _find_by_clock(
        self, indexed: Bson, clock: Bson, *, order: list[tuple[str, int]] | None = None, limit: int
    ) -> list[D]:
        stages: list[Bson] = [{"$match": indexed}, {"$match": clock}]
        if order:
            stages.append({"$sort": dict(order)})
        return await self._aggregated([*stages, {"$limit": limit}])

    async def _aggregated(self, stages: list[Bson]) -> list[D]:
        with translated():
            found = await (await self._collection.aggregate(stages)).to_list()
        return [decode(self._kind, stored) for stored in found]
