"""The door: tells who asks, and refuses who may not, before anything else of a request is read."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import hdrs, web

from frameloom.common.documents import ApiKey
from frameloom.common.errors import FrameloomError
from frameloom.gateway.errors import (
    NotAuthenticatedError,
    RateLimitedError,
    ScopeMissingError,
    UnauthorizedError,
)
from frameloom.gateway.http.peers import peer_of, site_of
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.access import Access
from frameloom.gateway.services.caller import ANONYMOUS, Caller, Scope
from frameloom.gateway.services.rates import Rate
from frameloom.gateway.settings.auth import KEY_FORM

_KNOWN_SCOPES = frozenset(Scope)
_API_KEY = "X-API-Key"
_NO_HEADER = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the guard has made of a request: a caller, or why there is none."""

    caller: Caller
    refusal: FrameloomError | None = None


DECISION = web.RequestKey("decision", Decision)
RATE = web.RequestKey("rate", Rate)


class Guard:
    """Identifies callers by their key, or by a short-lived token where an operation takes one.

    A key comes as ``Authorization: Bearer <key>`` (the scheme in any case) or as ``X-API-Key``; the first
    counts. The decision about a request is made once: who asks again gets the same.

    Args:
        access: Who may come in.
        key_in_query: A key may also come where a token may, in the address.
    """

    def __init__(self, access: Access, *, key_in_query: bool = False) -> None:
        self._access = access
        self._key_in_query = key_in_query

    async def __call__(self, request: web.Request, operation: Operation) -> Caller:
        """The caller of a request.

        Raises:
            UnauthorizedError: There is no key, or not one that works.
            NotAuthenticatedError: There is none, for a strict operation.
            RateLimitedError: Too many requests come with the key, or too many wrong keys from the address.
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
        if operation.scope is not None and (refusal := self._counted(request, caller)) is not None:
            return Decision(caller, refusal)
        if isinstance(operation.scope, Scope) and not caller.may(operation.scope):
            return Decision(caller, ScopeMissingError(operation.scope))
        return Decision(caller)

    def _counted(self, request: web.Request, caller: Caller) -> RateLimitedError | None:
        if caller.account is None or caller.key_id is None:
            return None
        rate = self._access.rates.request(caller.account, self._access.ring.limits_known(caller.key_id))
        if rate is None:
            return None
        request[RATE] = rate
        return None if rate.retry_seconds is None else RateLimitedError.requests(rate.retry_seconds)

    async def _who(self, request: web.Request, operation: Operation) -> Caller:
        presented = _presented(request)
        if presented == _NO_HEADER and operation.token and (token := request.query.get("token")):
            return await self._by_query(request, operation, token)
        if operation.scope is None:
            return await self._guest(request, presented)
        if presented != _NO_HEADER:
            return _caller(await self._key(request, presented))
        if not self._access.required:
            return Caller()
        raise NotAuthenticatedError() if operation.strict else UnauthorizedError.missing()

    async def _guest(self, request: web.Request, presented: str) -> Caller:
        """Of what is open: a key that works is used, anything else is as good as none."""
        nobody = ANONYMOUS if self._access.required else Caller()
        if presented == _NO_HEADER:
            return nobody
        try:
            return _caller(await self._key(request, presented))
        except (UnauthorizedError, RateLimitedError):
            return nobody

    async def _key(self, request: web.Request, presented: str) -> ApiKey:
        """The key; an address that guesses is held up, but never a client whose key was seen to be one."""
        ring, rates = self._access.ring, self._access.rates
        hashes = ring.hashes(presented)
        if not ring.knows(hashes) and (wait := rates.may_guess(self._site(request))) is not None:
            raise RateLimitedError.wrong_keys(wait)
        key = await ring.find_by(hashes)
        if key is None:
            rates.wrong_key(self._site(request))
            raise UnauthorizedError.wrong()
        return key

    async def _by_query(self, request: web.Request, operation: Operation, token: str) -> Caller:
        if self._key_in_query and KEY_FORM.fullmatch(token):
            return _caller(await self._key(request, token))
        try:
            return self._by_token(request, operation, token)
        except UnauthorizedError:
            if self._access.required:
                raise
            return Caller()  # as VideoAnnotator, which does not look at it

    def _site(self, request: web.Request) -> str:
        return site_of(peer_of(request, self._access.trusted_proxies))

    def _by_token(self, request: web.Request, operation: Operation, token: str) -> Caller:
        assert operation.token is not None
        try:
            caller = self._access.tokens.read(token, operation.token)
        except UnauthorizedError as error:
            raise UnauthorizedError.wrong_token() from error
        asked = request.match_info.get("job_id") or request.query.get("job_id")
        if caller.job_id is not None and asked != caller.job_id:
            raise UnauthorizedError.wrong_token()
        return caller


def _presented(request: web.Request) -> str:
    """The key that a request brings; empty when it brings none."""
    scheme, _, rest = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and (key := rest.strip()):
        return key
    return request.headers.get(_API_KEY, "").strip()


def _caller(key: ApiKey) -> Caller:
    scopes = frozenset(Scope(name) for name in key.scopes if name in _KNOWN_SCOPES)
    return Caller(tenant=key.tenant, key_id=key.id, scopes=scopes, line=key.line)


def told(request: web.Request, response: web.StreamResponse) -> None:
    """Tells the client how its key stands with its rate: the usual headers, and those of the IETF draft."""
    rate = request.get(RATE)
    if rate is None:
        return
    response.headers["RateLimit-Limit"] = str(rate.limit)
    response.headers["RateLimit-Remaining"] = str(rate.remaining)
    response.headers["RateLimit-Reset"] = str(rate.full_seconds)
    response.headers["RateLimit-Policy"] = f'"requests";q={rate.limit};w={rate.window_seconds}'
    response.headers["RateLimit"] = f'"requests";r={rate.remaining};t={rate.full_seconds}'
