"""The gate's two halves: bytes that arrive in quarantine, by whatever way, and what leaves it."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator

import pytest
from gateway_kit import MP4, LocalProber, soon

from frameloom.common import layout
from frameloom.common.adapters.memory import MemoryObjectStore
from frameloom.common.clock import new_id
from frameloom.common.documents import MediaFacts
from frameloom.common.errors import FrameloomError, ObjectChangedError, ObjectNotFoundError
from frameloom.gateway.errors import BusyError, MediaDamagedError, PayloadTooLargeError, ProbeFailedError
from frameloom.gateway.probe.prober import Examined
from frameloom.gateway.probe.reasons import Reason, Refused
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.gate import MediaGate, Quarantined, UploadLimits
from frameloom.gateway.services.places import UploadPlaces


class Rig:
    def __init__(self, held_bytes: int = 256 * 1024, prober: object = None) -> None:
        self.objects = MemoryObjectStore()
        limits = UploadLimits(
            max_bytes=100_000, concurrent=2, concurrent_per_key=1, wait_seconds=0.05, held_bytes=held_bytes
        )
        self.gate = MediaGate(self.objects, prober or LocalProber(), limits)  # type: ignore[arg-type]

    async def received(self, body: bytes = MP4, max_bytes: int | None = None) -> Quarantined:
        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 1000):
                yield body[start : start + 1000]

        return await self.gate.receive(new_id(), "a/b.mp4", chunks(), max_bytes)


async def test_a_small_upload_is_stored_only_when_it_has_passed() -> None:
    rig = Rig()
    upload = await rig.received()
    assert not rig.objects.held
    admitted = await rig.gate.admit(upload)
    assert rig.objects.held == {layout.media(upload.job_id): (MP4, "video/mp4")}
    assert admitted.job_id == upload.job_id
    assert admitted.media.key == layout.media(upload.job_id)
    assert admitted.media.filename == "b.mp4"
    assert admitted.media.size_bytes == len(MP4)
    assert admitted.media.sha256 == hashlib.sha256(MP4).hexdigest()
    assert admitted.media.crc32 == zlib.crc32(MP4)
    assert admitted.facts.has_video


async def test_a_larger_one_lies_in_quarantine_until_then() -> None:
    rig = Rig(held_bytes=len(MP4) - 1)
    upload = await rig.received()
    assert rig.objects.held == {layout.quarantined(upload.job_id): (MP4, "video/mp4")}
    admitted = await rig.gate.admit(upload)
    assert rig.objects.held == {layout.media(upload.job_id): (MP4, "video/mp4")}
    assert admitted.media.sha256 == hashlib.sha256(MP4).hexdigest()


async def test_what_others_have_written_is_read_again() -> None:
    """A resumable or direct upload: nobody has seen its bytes, and its type is whatever a client said."""
    rig = Rig()
    upload = Quarantined(new_id(), "c.mp4", size_bytes=1)
    await rig.objects.put(upload.key, MP4, "text/html")
    admitted = await rig.gate.admit(upload)
    assert admitted.media.sha256 == hashlib.sha256(MP4).hexdigest()
    assert admitted.media.size_bytes == len(MP4)
    assert admitted.media.crc32 == zlib.crc32(MP4)
    assert rig.objects.held == {admitted.media.key: (MP4, "video/mp4")}


@pytest.mark.parametrize("body", [b"", b"text", MP4[:60]])
@pytest.mark.parametrize("way", ["held", "quarantined", "written by others"])
async def test_what_is_refused_leaves_nothing(body: bytes, way: str) -> None:
    rig = Rig(held_bytes=0 if way == "quarantined" else 10_000)

    async def admitted() -> None:
        if way == "written by others":
            upload = Quarantined(new_id(), "c.mp4", size_bytes=len(body))
            await rig.objects.put(upload.key, body, "video/mp4")
        else:
            upload = await rig.received(body)
        await rig.gate.admit(upload)

    with pytest.raises(FrameloomError) as caught:
        await admitted()
    assert 400 <= caught.value.status < 500
    assert caught.value.message
    assert not rig.objects.held


async def test_what_is_not_there_can_not_be_admitted() -> None:
    with pytest.raises(ObjectNotFoundError):
        await Rig().gate.admit(Quarantined(new_id(), "c.mp4", size_bytes=1))


@pytest.mark.parametrize("limit", [None, 50_000])
async def test_the_smaller_limit_counts(limit: int | None) -> None:
    rig = Rig()
    with pytest.raises(PayloadTooLargeError) as caught:
        await rig.received(MP4 + bytes(200_000), limit)
    assert caught.value.detail == {"limit_bytes": limit or 100_000}
    assert not rig.objects.held


async def test_what_changes_while_it_is_examined_is_not_admitted() -> None:
    """Somebody who may write to quarantine puts something else there once the first has passed."""

    class Exchanging(LocalProber):
        async def probe(self, media: Examined) -> MediaFacts:
            facts = await super().probe(media)
            await rig.objects.put(upload.key, b"something else", "video/mp4")
            return facts

    rig = Rig(prober=Exchanging())
    upload = Quarantined(new_id(), "c.mp4", size_bytes=len(MP4))
    await rig.objects.put(upload.key, MP4, "video/mp4")
    with pytest.raises(ObjectChangedError):
        await rig.gate.admit(upload)
    assert not rig.objects.held


async def test_a_probe_that_fails_is_a_refusal_with_a_sentence() -> None:
    class Failing:
        async def probe(self, _: Examined) -> MediaFacts:
            raise Refused(Reason.CRASHED, error="of the library")

    rig = Rig(prober=Failing())
    upload = await rig.received()
    with pytest.raises(ProbeFailedError, match=r"b\.mp4 made the process"):
        await rig.gate.admit(upload)


async def test_only_as_much_as_is_asked_for_is_read() -> None:
    class Reading:
        async def probe(self, media: Examined) -> MediaFacts:
            assert await media.read(0, 100) == MP4[:100]
            assert await media.read(5000, 500) == MP4[5000:5500]
            raise Refused(Reason.DAMAGED)

    for rig in (Rig(prober=Reading()), Rig(held_bytes=0, prober=Reading())):
        with pytest.raises(MediaDamagedError):
            await rig.gate.admit(await rig.received())


async def test_places_are_shared_fairly() -> None:
    gate = Rig().gate
    one, other = Caller(key_id="one"), Caller(key_id="other")
    async with gate.place(one):
        with pytest.raises(BusyError, match="of this key"):
            async with gate.place(one):
                pass
        async with gate.place(other):
            with pytest.raises(BusyError, match="Too many uploads are"):
                async with gate.place(Caller()):
                    pass
    async with gate.place(one):
        pass


async def test_who_waits_for_a_place_gets_it() -> None:
    places = UploadPlaces(total=1, per_key=1, wait_seconds=5)
    order: list[str] = []

    async def upload(name: str) -> None:
        async with places.taken(name):
            order.append(name)

    async with places.taken("a"):
        waiting = [asyncio.create_task(upload(name)) for name in ("b", "a", "b")]
        await asyncio.sleep(0)
        assert order == []
    await soon(lambda: all(task.done() for task in waiting))
    assert sorted(order) == ["a", "b", "b"]
    assert places._keys == {}
