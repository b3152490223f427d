"""Connecting a browser to the viewer, without a key in any address.

Whoever has a key asks for a link. Its token is good for some minutes, and is exchanged once for a key of the
browser's own. The new key's id is made of the token, so the database itself sees to it that it is made once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from frameloom.common.clock import Clock
from frameloom.gateway.errors import ConnectTokenUsedError, NoViewerError
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.services.keys import KeyService, Shown
from frameloom.gateway.services.tokens import Tokens
from frameloom.gateway.settings import ViewerSettings

_SCOPES = (Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.RESULTS_READ)
_NAME = "viewer in a browser"


@dataclass(frozen=True, slots=True)
class Link:
    """A link, and until when it connects.

    Attributes:
        path: Below the gateway's address. The token is in its fragment, which browsers send to nobody.
    """

    path: str
    expires_at: datetime


class ViewerService:
    """Links for browsers, and the keys that these get for them."""

    def __init__(self, tokens: Tokens, keys: KeyService, clock: Clock, settings: ViewerSettings) -> None:
        self._tokens = tokens
        self._keys = keys
        self._clock = clock
        self._settings = settings

    def link(self, caller: Caller) -> Link:
        """A link in the caller's name.

        Raises:
            NoViewerError: There is no viewer here to connect to.
        """
        if self._settings.dir is None:
            raise NoViewerError
        ttl = timedelta(seconds=self._settings.connect_seconds)
        token = self._tokens.issue(caller, "viewer", ttl, scopes=_SCOPES)
        return Link(f"/viewer-connect#token={token}", self._clock.now() + ttl)

    async def exchange(self, token: str) -> Shown:
        """A key for what a link's token stands for.

        Raises:
            UnauthorizedError: It is none of ours, has expired, or the key that asked for it has ended.
            ConnectTokenUsedError: It has been exchanged before.
        """
        caller = self._tokens.read(token, "viewer")
        name = f"viewer-{hashlib.sha256(token.encode()).hexdigest()[:32]}"
        lifetime = timedelta(days=self._settings.key_days)
        lent = await self._keys.lend(caller, name, _NAME, _SCOPES, lifetime)
        if lent is None:
            raise ConnectTokenUsedError
        return lent
