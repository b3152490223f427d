"""The keys as the guard asks for them: found by what a client sent, remembered for some seconds.

What is remembered is bounded in number and in age: a key that was revoked through another gateway is noticed
when its entry is read again. What this gateway changes itself is noticed at once.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from frameloom.common.background import in_background
from frameloom.common.clock import Clock
from frameloom.common.documents import ApiKey, KeyLimits
from frameloom.common.errors import TransientError
from frameloom.common.ports.stores import KeyStore
from frameloom.gateway.services.secrets import Secrets
from frameloom.gateway.settings.auth import KEY_FORM

log = structlog.get_logger(__name__)
_REMEMBERED = 10_000
_TOUCH_EVERY_SECONDS = 60.0
_FLUSH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Entry:
    key: ApiKey | None
    read_at: float


class KeyRing:
    """Finds keys.

    Args:
        store: Where they lie.
        secrets: What they are hashed with.
        clock: Judges expiry.
        cache_seconds: How old what is remembered may be.
        monotonic: Measures that age.
    """

    def __init__(
        self,
        store: KeyStore,
        secrets: Secrets,
        clock: Clock,
        *,
        cache_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._hash_keys = secrets.derived("keys")
        self._clock = clock
        self._cache_seconds = cache_seconds
        self._monotonic = monotonic
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._by_id: dict[str, str] = {}
        self._loading: dict[str, asyncio.Task[_Entry]] = {}
        self._used: dict[str, datetime] = {}

    def hash(self, presented: str) -> str:
        """What is stored of a key."""
        return self._hashes(presented)[0]

    def hashes(self, presented: str) -> tuple[str, ...]:
        """What might be stored of it, under each secret; nothing for what has not the form of a key."""
        return self._hashes(presented) if KEY_FORM.fullmatch(presented) else ()

    async def find(self, presented: str) -> ApiKey | None:
        """The key that a client has sent, if it is one and works.

        Raises:
            TransientError: The database does not answer.
        """
        return await self.find_by(self.hashes(presented))

    async def find_by(self, hashes: tuple[str, ...]) -> ApiKey | None:
        """The same by what :meth:`hashes` has made of it."""
        if not hashes:
            return None
        entry = self._entries.get(hashes[0])
        if entry is None or self._monotonic() - entry.read_at >= self._cache_seconds:
            entry = await self._loaded(hashes)
        key, now = entry.key, self._clock.now()
        if key is None or not any(hmac.compare_digest(key.hash, one) for one in hashes) or not key.works(now):
            return None
        if key.last_used_at is None or now - key.last_used_at >= timedelta(seconds=_TOUCH_EVERY_SECONDS):
            self._used[key.id] = now
        return key

    async def known(self, presented: str) -> ApiKey | None:
        """The key that this is, working or not, as the database has it now."""
        return await self._store.find(self._hashes(presented))

    def ended(self, key_id: str) -> bool:
        """Whether a key is known here to work no more; of one that is not remembered nothing is known."""
        entry = self._entries.get(self._by_id.get(key_id, ""))
        return entry is not None and entry.key is not None and not entry.key.works(self._clock.now())

    def knows(self, hashes: tuple[str, ...]) -> bool:
        """Whether these are of a key that was found before, however long ago; it may have ended since."""
        entry = self._entries.get(hashes[0]) if hashes else None
        return entry is not None and entry.key is not None

    async def limits_of(self, key_id: str) -> KeyLimits | None:
        """The limits that a key has of its own; None: there is no such key."""
        entry = self._entries.get(self._by_id.get(key_id, ""))
        key = entry.key if entry is not None else await self._store.get(key_id)
        return None if key is None else key.limits

    def limits_known(self, key_id: str) -> KeyLimits | None:
        """The same as far as it is remembered here."""
        entry = self._entries.get(self._by_id.get(key_id, ""))
        return entry.key.limits if entry is not None and entry.key is not None else None

    def remember(self, key: ApiKey) -> None:
        """Takes in a key as this gateway has just written it."""
        self._put(self._by_id.get(key.id, key.hash), key)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes in the background when keys were last used; the rest of it at the end."""
        async with in_background(self._flushing(), "key uses"):
            yield
        with suppress(TransientError):
            await self._flush()

    def _hashes(self, presented: str) -> tuple[str, ...]:
        return tuple(hmac.digest(key, presented.encode(), "sha256").hex() for key in self._hash_keys)

    async def _loaded(self, hashes: tuple[str, ...]) -> _Entry:
        """Reads a key once, however many requests wait for it; a client that leaves does not break it off."""
        task = self._loading.get(hashes[0])
        if task is None:
            task = self._loading[hashes[0]] = asyncio.create_task(self._load(hashes))

            def done(ended: asyncio.Task[_Entry]) -> None:
                del self._loading[hashes[0]]
                if not ended.cancelled():
                    ended.exception()  # taken, in case that nobody waits any more

            task.add_done_callback(done)
        return await asyncio.shield(task)

    async def _load(self, hashes: tuple[str, ...]) -> _Entry:
        return self._put(hashes[0], await self._store.find(hashes))

    def _put(self, place: str, key: ApiKey | None) -> _Entry:
        before = self._entries.get(place)
        if key is not None and before is not None and before.key is not None and before.key.rev > key.rev:
            key = before.key  # this gateway changed it while the database was being asked
        entry = self._entries[place] = _Entry(key, self._monotonic())
        self._entries.move_to_end(place)
        if key is not None:
            self._by_id[key.id] = place
        while len(self._entries) > _REMEMBERED:
            _, oldest = self._entries.popitem(last=False)
            if oldest.key is not None:
                self._by_id.pop(oldest.key.id, None)
        return entry

    async def _flushing(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                await self._flush()
            except TransientError as error:
                log.warning("could not note the use of keys", reason=str(error))

    async def _flush(self) -> None:
        used, self._used = self._used, {}
        for key_id, when in used.items():
            await self._store.touch(key_id, when, _TOUCH_EVERY_SECONDS)
