"""Keys found, remembered for a bounded time, and made at the first start; tokens signed with the secret."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from gateway_kit import KEY, SECRET

from frameloom.common.adapters.memory import MemoryKeyStore, MemorySecretStore
from frameloom.common.clock import ManualClock
from frameloom.common.documents import ApiKey
from frameloom.common.errors import ConfigurationError, DatabaseUnavailableError
from frameloom.common.machines.key import revoke
from frameloom.gateway.errors import UnauthorizedError
from frameloom.gateway.services.bootstrap import drawn, ensure_first_key
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.services.keyring import KeyRing
from frameloom.gateway.services.secrets import Secrets
from frameloom.gateway.services.tokens import Tokens
from frameloom.gateway.settings import AuthSettings

SECRETS = Secrets((SECRET.encode(),))


class CountingStore(MemoryKeyStore):
    """Counts the reads, and can fail."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.reads = 0
        self.away = False

    async def find(self, hashes: Sequence[str]) -> ApiKey | None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise DatabaseUnavailableError("away")
        return await super().find(hashes)


class Rig:
    """A key ring over a counting store, with a hand-moved clock for the age of what is remembered."""

    def __init__(self, secrets: Secrets = SECRETS, cache_seconds: float = 5.0) -> None:
        self.clock = ManualClock()
        self.store = CountingStore(self.clock)
        self.seconds = 0.0
        self.ring = self.replica(secrets, cache_seconds)

    def replica(self, secrets: Secrets = SECRETS, cache_seconds: float = 5.0) -> KeyRing:
        return KeyRing(
            self.store, secrets, self.clock, cache_seconds=cache_seconds, monotonic=lambda: self.seconds
        )

    async def add(self, text: str = KEY, ring: KeyRing | None = None, **fields: object) -> ApiKey:
        key = ApiKey(
            id=f"id-{len(self.store.held)}",
            hash=(ring or self.ring).hash(text),
            prefix=text[:8],
            name="n",
            tenant="t",
            scopes=("jobs:read",),
            created_at=self.clock.now(),
        ).model_copy(update=fields)
        assert await self.store.insert(key)
        return key


class TestKeyRing:
    async def test_a_key_is_found_and_read_once_in_a_while(self) -> None:
        rig = Rig()
        key = await rig.add()
        rig.store.reads = 0
        for _ in range(10):
            found = await rig.ring.find(KEY)
            assert found is not None
            assert found.id == key.id
        assert rig.store.reads == 1
        rig.seconds = 5.0
        await rig.ring.find(KEY)
        assert rig.store.reads == 2

    async def test_many_requests_at_once_read_once(self) -> None:
        rig = Rig()
        await rig.add()
        rig.store.reads = 0
        found = await asyncio.gather(*(rig.ring.find(KEY) for _ in range(50)))
        assert all(found)
        assert rig.store.reads == 1

    async def test_a_waiting_client_that_leaves_breaks_nothing_off(self) -> None:
        rig = Rig()
        await rig.add()
        first, second = (asyncio.create_task(rig.ring.find(KEY)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is not None

    async def test_what_has_not_the_form_of_a_key_is_not_looked_up(self) -> None:
        rig = Rig()
        await rig.add()
        rig.store.reads = 0
        for text in (
            "dev-token",
            "test-token",
            "",
            "va_",
            KEY[:-5],
            KEY + "!",
            "va_" + "k" * 200,
            "va_ü" * 12,
        ):
            assert await rig.ring.find(text) is None
        assert rig.store.reads == 0

    async def test_a_wrong_key_is_none_and_is_remembered_too(self) -> None:
        rig = Rig()
        await rig.add()
        rig.store.reads = 0
        for _ in range(3):
            assert await rig.ring.find(drawn()[:-1] + "A") is None
        assert rig.store.reads == 3
        wrong = drawn()
        for _ in range(3):
            assert await rig.ring.find(wrong) is None
        assert rig.store.reads == 4

    async def test_a_key_revoked_elsewhere_stops_within_the_bound(self) -> None:
        rig = Rig()
        key = await rig.add()
        assert await rig.ring.find(KEY)
        other = rig.replica()
        await rig.store.apply(revoke(key, rig.clock.now()))
        assert await other.find(KEY) is None
        rig.seconds = 4.9
        assert await rig.ring.find(KEY) is not None
        rig.seconds = 5.0
        assert await rig.ring.find(KEY) is None

    async def test_a_key_revoked_here_stops_at_once(self) -> None:
        rig = Rig()
        key = await rig.add()
        assert await rig.ring.find(KEY)
        assert not rig.ring.ended(key.id)
        revoked = await rig.store.apply(revoke(key, rig.clock.now()))
        assert revoked is not None
        rig.ring.remember(revoked)
        assert await rig.ring.find(KEY) is None
        assert rig.ring.ended(key.id)

    @pytest.mark.parametrize("field", ["expires_at", "retires_at"])
    async def test_an_end_holds_to_the_second_also_from_memory(self, field: str) -> None:
        rig = Rig()
        await rig.add(**{field: rig.clock.now() + timedelta(seconds=2)})
        assert await rig.ring.find(KEY) is not None
        rig.clock.advance(2)
        assert await rig.ring.find(KEY) is None

    async def test_an_outage_is_told_and_remembered_keys_still_work(self) -> None:
        rig = Rig()
        await rig.add()
        assert await rig.ring.find(KEY)
        rig.store.away = True
        assert await rig.ring.find(KEY)
        rig.seconds = 5.0
        with pytest.raises(DatabaseUnavailableError):
            await rig.ring.find(KEY)
        rig.store.away = False
        assert await rig.ring.find(KEY)

    async def test_the_last_use_is_noted_in_the_background_once_a_minute(self) -> None:
        rig = Rig()
        key = await rig.add()
        start = rig.clock.now()
        async with rig.ring.running():
            await rig.ring.find(KEY)
        assert rig.store.held[key.id].last_used_at == start
        rig.clock.advance(30)
        async with rig.ring.running():
            await rig.ring.find(KEY)
        assert rig.store.held[key.id].last_used_at == start
        rig.clock.advance(30)
        rig.seconds = 60.0
        async with rig.ring.running():
            await rig.ring.find(KEY)
        assert rig.store.held[key.id].last_used_at == start + timedelta(seconds=60)


class TestSecrets:
    def test_derivation_is_that_of_rfc_5869(self) -> None:
        prk = hmac.new(b"frameloom/auth/v1", SECRET.encode(), hashlib.sha256).digest()
        expected = hmac.new(prk, b"keys\x01", hashlib.sha256).digest()
        assert SECRETS.derived("keys") == (expected,)
        assert SECRETS.derived("token/events") != SECRETS.derived("token/viewer")

    async def test_without_one_it_is_made_once_for_all_gateways(self) -> None:
        store = MemorySecretStore()
        first, second = await asyncio.gather(*(Secrets.opened(AuthSettings(), store) for _ in range(2)))
        assert first == second
        assert len(first.all[0]) >= 43

    async def test_keys_from_before_the_operator_gave_his_secret_go_on_working(self) -> None:
        store, rig = MemorySecretStore(), Rig()
        before = rig.replica(await Secrets.opened(AuthSettings(), store))
        await rig.add(ring=before)
        after = rig.replica(await Secrets.opened(AuthSettings(secret=SECRET), store))
        assert await after.find(KEY) is not None
        new = drawn()
        await rig.add(new, after)
        assert await after.find(new) is not None
        assert await before.find(new) is None

    async def test_a_file_may_hold_it(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text(SECRET + "\n")
        found = await Secrets.opened(AuthSettings(secret_file=file), MemorySecretStore())
        assert found == SECRETS

    @pytest.mark.parametrize(
        "settings", [AuthSettings(secret="short"), AuthSettings(secret_file=Path("/nowhere/at/all"))]
    )
    async def test_one_that_can_not_be_used_is_told(self, settings: AuthSettings) -> None:
        with pytest.raises(ConfigurationError) as caught:
            await Secrets.opened(settings, MemorySecretStore())
        assert "FRAMELOOM_AUTH_SECRET" in caught.value.message
        assert caught.value.hint


class TestFirstKey:
    async def test_on_an_empty_database_one_is_made_and_shown_once(self) -> None:
        rig, shown = Rig(), list[str]()
        for _ in range(2):
            await ensure_first_key(AuthSettings(), rig.store, rig.ring, rig.clock, shown.append)
        (block,) = shown
        found = set(re.findall(r"va_[A-Za-z0-9_-]{43}", block))
        assert len(found) == 1
        text = found.pop()
        key = await rig.ring.find(text)
        assert key is not None
        assert (key.tenant, key.scopes, key.prefix) == ("default", ("admin",), text[:8])
        assert text not in str(key)

    async def test_of_two_gateways_one_makes_it(self) -> None:
        rig, shown = Rig(), list[str]()
        starts = (
            ensure_first_key(AuthSettings(), rig.store, rig.replica(), rig.clock, shown.append)
            for _ in range(5)
        )
        await asyncio.gather(*starts)
        assert len(shown) == len(rig.store.held) == 1

    @pytest.mark.parametrize(
        "settings", [AuthSettings(auto_generate_key=False), AuthSettings(required=False)]
    )
    async def test_it_can_be_switched_off(self, settings: AuthSettings) -> None:
        rig = Rig()
        await ensure_first_key(settings, rig.store, rig.ring, rig.clock, pytest.fail)
        assert not await rig.store.any()

    async def test_where_there_are_keys_none_is_made(self) -> None:
        rig = Rig()
        await rig.add(revoked_at=rig.clock.now())
        await ensure_first_key(AuthSettings(), rig.store, rig.ring, rig.clock, pytest.fail)
        assert len(rig.store.held) == 1

    async def test_the_operators_own_is_taken_in_once_and_not_shown(self) -> None:
        rig, settings = Rig(), AuthSettings(initial_key=KEY)
        for _ in range(2):
            await ensure_first_key(settings, rig.store, rig.ring, rig.clock, pytest.fail)
        assert len(rig.store.held) == 1
        key = await rig.ring.find(KEY)
        assert key is not None
        assert key.expires_at is None

    async def test_once_revoked_the_operators_own_does_not_come_back(self) -> None:
        rig, settings = Rig(), AuthSettings(initial_key=KEY)
        await ensure_first_key(settings, rig.store, rig.ring, rig.clock)
        (key,) = rig.store.held.values()
        await rig.store.apply(revoke(key, rig.clock.now()))
        await ensure_first_key(settings, rig.store, rig.ring, rig.clock)
        assert await rig.ring.find(KEY) is None

    @pytest.mark.parametrize("text", ["admin", "va_short", "xx_" + "k" * 43])
    async def test_one_that_is_easily_guessed_is_refused(self, text: str) -> None:
        rig = Rig()
        with pytest.raises(ConfigurationError, match="FRAMELOOM_AUTH_INITIAL_KEY"):
            await ensure_first_key(AuthSettings(initial_key=text), rig.store, rig.ring, rig.clock)

    def test_keys_look_like_the_originals(self) -> None:
        assert re.fullmatch(r"va_[A-Za-z0-9_-]{43}", drawn())
        assert drawn() != drawn()


class TestAuthSettings:
    @pytest.mark.parametrize("name", ["AUTH_REQUIRED", "SECURITY_ENABLED", "FRAMELOOM_AUTH_REQUIRED"])
    def test_the_originals_names_switch_it_off(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        assert AuthSettings().required
        monkeypatch.setenv(name, "false")
        assert not AuthSettings().required

    def test_an_empty_variable_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FRAMELOOM_AUTH_SECRET", "")
        monkeypatch.setenv("AUTO_GENERATE_API_KEY", "false")
        settings = AuthSettings()
        assert settings.secret_text() is None
        assert not settings.auto_generate_key

    def test_secrets_do_not_show(self) -> None:
        shown = repr(AuthSettings(secret=SECRET, initial_key=KEY))
        assert SECRET not in shown
        assert KEY not in shown


class TestTokens:
    def rig(self) -> tuple[Rig, Tokens]:
        rig = Rig()
        return rig, Tokens(SECRETS, rig.ring, rig.clock)

    async def test_a_token_stands_for_its_caller(self) -> None:
        _, tokens = self.rig()
        caller = Caller("t", "k", frozenset({Scope.JOBS_READ}))
        token = tokens.issue(caller, "events", timedelta(minutes=5), job_id="j")
        assert re.fullmatch(r"[A-Za-z0-9._-]+", token)
        assert tokens.read(token, "events") == Caller("t", "k", frozenset({Scope.JOBS_READ}), "j")

    async def test_it_allows_no_more_than_its_caller(self) -> None:
        _, tokens = self.rig()
        caller = Caller("t", "k", frozenset({Scope.JOBS_READ}))
        token = tokens.issue(caller, "events", timedelta(minutes=5), scopes=set(Scope))
        assert tokens.read(token, "events").scopes == {Scope.JOBS_READ}

    async def test_it_ends_in_time(self) -> None:
        rig, tokens = self.rig()
        token = tokens.issue(Caller(), "events", timedelta(seconds=60))
        rig.clock.advance(59)
        assert tokens.read(token, "events").tenant == "default"
        rig.clock.advance(1)
        with pytest.raises(UnauthorizedError):
            tokens.read(token, "events")

    async def test_it_is_good_for_one_purpose(self) -> None:
        _, tokens = self.rig()
        token = tokens.issue(Caller(), "events", timedelta(minutes=5))
        with pytest.raises(UnauthorizedError):
            tokens.read(token, "viewer")

    async def test_a_forged_one_is_refused(self) -> None:
        rig, tokens = self.rig()
        others = Tokens(Secrets((b"another secret that is long enough",)), rig.ring, rig.clock)
        token = tokens.issue(Caller(), "events", timedelta(minutes=5))
        body, dot, mac = token.rpartition(".")
        forged = [
            "", "x", "a.b", token[:-1], "A" + token, KEY, f"{body}A{dot}{mac}",
            others.issue(Caller(), "events", timedelta(minutes=5)),
        ]  # fmt: skip
        for text in forged:
            with pytest.raises(UnauthorizedError):
                tokens.read(text, "events")

    async def test_it_ends_with_its_key(self) -> None:
        rig, tokens = self.rig()
        key = await rig.add()
        await rig.ring.find(KEY)
        token = tokens.issue(Caller("t", key.id), "events", timedelta(minutes=5))
        assert tokens.read(token, "events").key_id == key.id
        revoked = await rig.store.apply(revoke(key, rig.clock.now()))
        assert revoked is not None
        rig.ring.remember(revoked)
        with pytest.raises(UnauthorizedError):
            tokens.read(token, "events")

    async def test_one_from_before_the_operators_secret_works_on(self) -> None:
        rig, _ = self.rig()
        old, new = b"an older secret of the database, long", SECRET.encode()
        token = Tokens(Secrets((old,)), rig.ring, rig.clock).issue(Caller(), "viewer", timedelta(minutes=5))
        assert Tokens(Secrets((new, old)), rig.ring, rig.clock).read(token, "viewer") == Caller()
