"""The door: tells who asks, and refuses who may not, before anything else of a request is read."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import hdrs, web

from frameloom.common.documents import ApiKey
from frameloom.common.errors import FrameloomError
from frameloom.gateway.errors import NotAuthenticatedError, ScopeMissingError, UnauthorizedError
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.access import Access
from frameloom.gateway.services.caller import ANONYMOUS, Caller, Scope

_KNOWN_SCOPES = frozenset(Scope)
_API_KEY = "X-API-Key"
_NO_HEADER = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the guard has made of a request: a caller, or why there is none."""

    caller: Caller
    refusal: FrameloomError | None = None


DECISION = web.RequestKey("decision", Decision)


class Guard:
    """Identifies callers by their key, or by a short-lived token where an operation takes one.

    A key comes as ``Authorization: Bearer <key>`` (the scheme in any case) or as ``X-API-Key``; the first
    counts. The decision about a request is made once: who asks again gets the same.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, request: web.Request, operation: Operation) -> Caller:
        """The caller of a request.

        Raises:
            UnauthorizedError: There is no key, or not one that works.
            NotAuthenticatedError: There is none, for a strict operation.
            ScopeMissingError: The key does not allow the operation.
            TransientError: The database does not answer.
        """
        decision = request.get(DECISION)
        if decision is None:
            decision = request[DECISION] = await self._decided(request, operation)
        if decision.refusal is not None:
            raise decision.refusal
        return decision.caller

    async def _decided(self, request: web.Request, operation: Operation) -> Decision:
        try:
            caller = await self._who(request, operation)
        except FrameloomError as error:
            return Decision(ANONYMOUS, error)
        if operation.scope is not None and not caller.may(operation.scope):
            return Decision(caller, ScopeMissingError(operation.scope))
        return Decision(caller)

    async def _who(self, request: web.Request, operation: Operation) -> Caller:
        presented = _presented(request)
        if presented == _NO_HEADER and operation.token and (token := request.query.get("token")):
            return self._by_token(request, operation, token)
        if operation.scope is None:
            return await self._guest(presented)
        if presented != _NO_HEADER:
            return await self._by_key(presented)
        if not self._access.required:
            return Caller()
        raise NotAuthenticatedError() if operation.strict else UnauthorizedError.missing()

    async def _guest(self, presented: str) -> Caller:
        """Of what is open: a key that works is used, anything else is as good as none."""
        nobody = ANONYMOUS if self._access.required else Caller()
        if presented == _NO_HEADER:
            return nobody
        key = await self._access.ring.find(presented)
        return nobody if key is None else _caller(key)

    async def _by_key(self, presented: str) -> Caller:
        key = await self._access.ring.find(presented)
        if key is None:
            raise UnauthorizedError.wrong()
        return _caller(key)

    def _by_token(self, request: web.Request, operation: Operation, token: str) -> Caller:
        assert operation.token is not None
        caller = self._access.tokens.read(token, operation.token)
        asked = request.match_info.get("job_id") or request.query.get("job_id")
        if caller.job_id is not None and asked != caller.job_id:
            raise UnauthorizedError.wrong()
        return caller


def _presented(request: web.Request) -> str:
    """The key that a request brings; empty when it brings none."""
    scheme, _, rest = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and (key := rest.strip()):
        return key
    return request.headers.get(_API_KEY, "").strip()


def _caller(key: ApiKey) -> Caller:
    scopes = frozenset(Scope(name) for name in key.scopes if name in _KNOWN_SCOPES)
    return Caller(tenant=key.tenant, key_id=key.id, scopes=scopes)
