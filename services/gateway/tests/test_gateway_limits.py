"""Rates, guesses and quotas: counted right, refused clearly, and told in every answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from gateway_kit import KEY, MP4, Gateway, form, job, soon

from frameloom.common.adapters.memory import MemoryJobStore, MemoryKeyStore
from frameloom.common.clock import ManualClock
from frameloom.common.documents import ApiKey, JobDocument, JobStatus, KeyLimits, MediaRef
from frameloom.gateway.errors import PayloadTooLargeError, QuotaExceededError
from frameloom.gateway.http.peers import peer_of, site_of
from frameloom.gateway.services.bootstrap import drawn
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.keyring import KeyRing
from frameloom.gateway.services.quotas import Allowance, Quotas
from frameloom.gateway.services.rates import Buckets, RateLimiter
from frameloom.gateway.services.secrets import Secrets
from frameloom.gateway.settings import GatewaySettings, LimitSettings

JOBS = "/api/v1/jobs/"


class Seconds:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class TestBuckets:
    def test_a_burst_and_then_the_rate(self) -> None:
        seconds = Seconds()
        buckets = Buckets(seconds)
        taken = [buckets.take("a", 2.0, 5) for _ in range(6)]
        assert [rate.retry_seconds for rate in taken] == [None] * 5 + [1]
        assert [rate.remaining for rate in taken] == [4, 3, 2, 1, 0, 0]
        assert [rate.full_seconds for rate in taken] == [1, 1, 2, 2, 3, 3]
        assert {(rate.limit, rate.window_seconds) for rate in taken} == {(5, 3)}
        seconds.now += 0.5
        assert buckets.take("a", 2.0, 5).retry_seconds is None
        assert buckets.take("a", 2.0, 5).retry_seconds == 1
        seconds.now += 1000
        assert buckets.take("a", 2.0, 5).remaining == 4

    def test_a_slow_rate_tells_how_long_to_wait(self) -> None:
        seconds = Seconds()
        buckets = Buckets(seconds)
        buckets.take("a", 0.1, 1)
        assert buckets.take("a", 0.1, 1).retry_seconds == 10
        seconds.now += 9.5
        assert buckets.take("a", 0.1, 1).retry_seconds == 1
        seconds.now += 0.5
        assert buckets.take("a", 0.1, 1).retry_seconds is None

    def test_names_have_buckets_of_their_own_in_bounded_memory(self) -> None:
        buckets = Buckets(Seconds())
        for number in range(20_100):
            assert buckets.take(f"n{number}", 1.0, 1).retry_seconds is None
        assert len(buckets._buckets) == 20_000

    def test_a_key_may_have_its_own_rate(self) -> None:
        limiter = RateLimiter(LimitSettings(requests_per_second=1, burst=2), Seconds())
        default = limiter.request("a", KeyLimits())
        assert default is not None
        assert default.limit == 2
        own = limiter.request("b", KeyLimits(requests_per_second=3))
        assert own is not None
        assert own.limit == 30
        both = limiter.request("c", KeyLimits(requests_per_second=3, burst=4))
        assert both is not None
        assert both.limit == 4
        assert limiter.request("d", KeyLimits(requests_per_second=0)) is None
        assert RateLimiter(LimitSettings(requests_per_second=0)).request("a", None) is None


async def asked(gateway: Gateway, key: str = KEY, path: str = JOBS) -> aiohttp.ClientResponse:
    async with gateway.stranger() as http, http.get(path, headers={"X-API-Key": key}) as answer:
        await answer.read()
        return answer


class TestRequests:
    async def test_every_answer_tells_what_is_left(self) -> None:
        async with Gateway(limits=LimitSettings(requests_per_second=0.5, burst=3)).running() as gateway:
            answers = [await asked(gateway) for _ in range(4)]
            assert [answer.status for answer in answers] == [200, 200, 200, 429]
            assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
            assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"3"}
            assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"requests";q=3;w=6'}
            assert answers[0].headers["RateLimit"] == '"requests";r=2;t=2'
            assert answers[2].headers["RateLimit-Reset"] == "6"
            body = await answers[3].json()
            assert body["error"]["code"] == "RATE_LIMITED"
            assert answers[3].headers["Retry-After"] == "2"

    async def test_it_is_counted_before_the_scope_and_the_body(self) -> None:
        async with Gateway(limits=LimitSettings(requests_per_second=0.1, burst=1)).running() as gateway:
            assert (await gateway.get("/api/v1/jobs/nobody"))[0] == 404
            status, body = await gateway.post(form())
            assert (status, body["error"]["code"]) == (429, "RATE_LIMITED")
            assert not gateway.jobs.held

    async def test_what_is_open_is_not_counted(self) -> None:
        async with Gateway(limits=LimitSettings(requests_per_second=0.1, burst=1)).running() as gateway:
            for _ in range(3):
                answer = await asked(gateway, path="/api/v1/health")
                assert answer.status == 200
                assert "RateLimit-Limit" not in answer.headers

    async def test_a_thousand_small_requests_are_fine_by_default(self) -> None:
        async with Gateway().running() as gateway:
            for _ in range(10):
                found = await asyncio.gather(*(gateway.get(JOBS) for _ in range(100)))
                assert {status for status, _ in found} == {200}

    async def test_a_rotated_key_shares_with_its_successor(self) -> None:
        async with Gateway(limits=LimitSettings(requests_per_second=0.1, burst=1)).running() as gateway:
            now = gateway.clock.now()
            texts = [drawn(), drawn()]
            for number, (text, line) in enumerate(zip(texts, (None, "k0"), strict=True)):
                key = ApiKey(
                    id=f"k{number}",
                    hash=gateway.access.ring.hash(text),
                    prefix=text[:8],
                    name="n",
                    tenant="t",
                    scopes=("jobs:read",),
                    created_at=now,
                    line=line,
                )
                await gateway.keys.insert(key)
            assert (await asked(gateway, texts[0])).status == 200
            assert (await asked(gateway, texts[1])).status == 429


class TestGuesses:
    async def test_an_address_that_guesses_is_held_up_and_good_keys_still_work(self) -> None:
        async with Gateway(limits=LimitSettings(wrong_keys_per_minute=3)).running() as gateway:
            other = drawn()
            key = ApiKey(
                id="k",
                hash=gateway.access.ring.hash(other),
                prefix=other[:8],
                name="n",
                tenant="t",
                scopes=("jobs:read",),
                created_at=gateway.clock.now(),
            )
            await gateway.keys.insert(key)
            assert (await asked(gateway)).status == 200
            answers = [await asked(gateway, drawn()) for _ in range(5)]
            assert [answer.status for answer in answers] == [401, 401, 401, 429, 429]
            assert int(answers[-1].headers["Retry-After"]) in range(15, 21)
            assert (await asked(gateway)).status == 200
            # A key that was never seen here waits like everybody else at that address.
            assert (await asked(gateway, other)).status == 429
            assert (await asked(gateway, drawn(), "/api/v1/health")).status == 200

    async def test_it_can_be_switched_off(self) -> None:
        async with Gateway(limits=LimitSettings(wrong_keys_per_minute=0)).running() as gateway:
            for _ in range(40):
                assert (await asked(gateway, "wrong")).status == 401


class TestPeers:
    def request(self, remote: str, *forwarded: str) -> web.Request:
        headers = [("X-Forwarded-For", value) for value in forwarded]
        from multidict import CIMultiDict

        request = make_mocked_request("GET", "/", headers=CIMultiDict(headers))
        return request.clone(remote=remote)

    @pytest.mark.parametrize(
        ("remote", "forwarded", "expected"),
        [
            ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", ["6.6.6.6", "1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            ("9.9.9.9", ["1.2.3.4"], "9.9.9.9"),
            ("10.0.0.1", [], "10.0.0.1"),
            ("10.0.0.1", ["nonsense"], "10.0.0.1"),
            ("10.0.0.1", ["1.2.3.4, nonsense"], "10.0.0.1"),
            ("::ffff:10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
            ("fe80::1%eth0", [], "fe80::1"),
            ("unix", ["1.2.3.4"], "unix"),
        ],
    )
    def test_only_trusted_hops_are_believed(self, remote: str, forwarded: list[str], expected: str) -> None:
        assert peer_of(self.request(remote, *forwarded), [ip_network("10.0.0.0/8")]) == expected

    def test_without_trust_the_header_is_nothing(self) -> None:
        assert peer_of(self.request("10.0.0.1", "1.2.3.4"), []) == "10.0.0.1"

    def test_an_ipv6_network_counts_as_one(self) -> None:
        assert site_of("2001:db8::7") == site_of("2001:db8::8") == "2001:db8::/64"
        assert site_of("10.0.0.1") == "10.0.0.1"

    def test_the_setting_takes_a_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FRAMELOOM_LIMIT_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
        assert [str(network) for network in LimitSettings().trusted_proxies] == ["10.0.0.0/8", "::1/128"]


class CountingJobs(MemoryJobStore):
    """Counts what is asked of it."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []

    async def active_of_key(self, key_id: str) -> int:
        self.asked.append("active")
        await asyncio.sleep(0)
        return await super().active_of_key(key_id)

    async def bytes_of_key(self, key_id: str) -> int:
        self.asked.append("bytes")
        return await super().bytes_of_key(key_id)


class Rig:
    """Quotas over a job store in memory."""

    def __init__(self, **limits: int) -> None:
        self.clock = ManualClock()
        self.jobs = CountingJobs(self.clock)
        self.seconds = Seconds()
        self.keys = MemoryKeyStore(self.clock)
        self.ring = KeyRing(self.keys, Secrets((b"s" * 32,)), self.clock, cache_seconds=5)
        self.quotas = Quotas(self.jobs, self.ring, LimitSettings(**limits), self.seconds)
        self.caller = Caller("t", "k")

    async def add(
        self, name: str, size: int = 10, status: JobStatus = JobStatus.PENDING, tell: bool = False
    ) -> JobDocument:
        made = job(self.clock, name, status=status, key_id="k").model_copy(
            update={"media": MediaRef(key="m", filename="a.mp4", size_bytes=size, sha256="00")}
        )
        await self.jobs.insert(made)
        if tell:
            self.quotas.accepted(made)
        return made


class TestQuotas:
    async def test_so_many_jobs_and_no_more(self) -> None:
        rig = Rig(concurrent_jobs=2)
        await rig.add("done", status=JobStatus.COMPLETED)
        for name in ("a", "b"):
            async with rig.quotas.admitted(rig.caller) as allowance:
                assert allowance.bytes_left is None
                await rig.add(name, tell=True)
        with pytest.raises(QuotaExceededError) as caught:
            await rig.quotas.admit(rig.caller)
        assert caught.value.detail == {"quota": "concurrent_jobs", "limit": 2}
        assert caught.value.retry_seconds
        assert (await rig.quotas.admit(Caller("t", "another"))).bytes_left is None

    async def test_uploads_under_way_count(self) -> None:
        rig = Rig(concurrent_jobs=2)
        async with rig.quotas.admitted(rig.caller), rig.quotas.admitted(rig.caller):
            with pytest.raises(QuotaExceededError):
                async with rig.quotas.admitted(rig.caller):
                    pass
        await rig.quotas.admit(rig.caller)

    async def test_of_many_at_once_only_so_many_come_in(self) -> None:
        rig = Rig(concurrent_jobs=3)
        go_on = asyncio.Event()

        async def upload() -> bool:
            try:
                async with rig.quotas.admitted(rig.caller):
                    await go_on.wait()
            except QuotaExceededError:
                return False
            return True

        tasks = [asyncio.create_task(upload()) for _ in range(10)]
        await soon(lambda: sum(task.done() for task in tasks) == 7)
        go_on.set()
        assert sorted(await asyncio.gather(*tasks)) == [False] * 7 + [True] * 3

    async def test_a_job_that_ended_makes_room_soon(self) -> None:
        rig = Rig(concurrent_jobs=1)
        held = await rig.add("a")
        for _ in range(3):
            with pytest.raises(QuotaExceededError):
                await rig.quotas.admit(rig.caller)
        assert rig.jobs.asked == ["active"]
        rig.jobs.held["a"] = held.model_copy(update={"status": JobStatus.COMPLETED})
        rig.seconds.now += 0.5
        await rig.quotas.admit(rig.caller)

    async def test_below_the_limit_the_database_is_asked_now_and_then(self) -> None:
        rig = Rig(concurrent_jobs=100, stored_bytes=10_000)
        for number in range(50):
            async with rig.quotas.admitted(rig.caller):
                await rig.add(f"j{number}", tell=True)
        assert rig.jobs.asked == ["active", "bytes"]
        rig.seconds.now += 5
        await rig.quotas.admit(rig.caller)
        assert rig.jobs.asked == ["active", "bytes", "active"]
        rig.seconds.now += 55
        await rig.quotas.admit(rig.caller)
        assert rig.jobs.asked[3:] == ["active", "bytes"]

    async def test_so_many_bytes_and_no_more(self) -> None:
        rig = Rig(stored_bytes=100)
        await rig.add("a", 60)
        assert (await rig.quotas.admit(rig.caller)).bytes_left == 40
        big = await rig.add("b", 40, tell=True)
        with pytest.raises(QuotaExceededError) as caught:
            await rig.quotas.admit(rig.caller)
        assert caught.value.retry_seconds is None
        assert "Delete" in str(caught.value.hint)
        del rig.jobs.held["b"]
        rig.quotas.deleted(big)
        assert (await rig.quotas.admit(rig.caller)).bytes_left == 40

    async def test_bytes_deleted_elsewhere_are_noticed_soon(self) -> None:
        rig = Rig(stored_bytes=100)
        await rig.add("a", 100)
        with pytest.raises(QuotaExceededError):
            await rig.quotas.admit(rig.caller)
        del rig.jobs.held["a"]
        rig.seconds.now += 2
        assert (await rig.quotas.admit(rig.caller)).bytes_left == 100

    async def test_a_key_may_have_its_own(self) -> None:
        rig = Rig(concurrent_jobs=1, stored_bytes=5)
        for name, limits in (("k", KeyLimits(concurrent_jobs=0, stored_bytes=0)), ("l", KeyLimits())):
            key = ApiKey(
                id=name, hash=name, prefix="p", name="n", tenant="t", scopes=(), created_at=rig.clock.now(),
                limits=limits,
            )  # fmt: skip
            await rig.keys.insert(key)
        await rig.add("a", 50)
        assert (await rig.quotas.admit(rig.caller)).bytes_left is None
        assert (await rig.quotas.admit(Caller("t", "l"))).bytes_left == 5
        assert (await rig.quotas.used(rig.caller)).stored_bytes == 50

    async def test_without_a_key_there_is_none(self) -> None:
        rig = Rig(concurrent_jobs=1, stored_bytes=1)
        await rig.add("a")
        assert (await rig.quotas.admit(Caller())).bytes_left is None
        assert (await rig.quotas.used(Caller())).active_jobs == 0

    def test_a_cut_is_told_by_its_reason(self) -> None:
        allowance = Allowance(10)
        allowance.check(10)
        with pytest.raises(QuotaExceededError):
            allowance.check(11)
        assert isinstance(allowance.explained(PayloadTooLargeError("The file", 10)), QuotaExceededError)
        server = PayloadTooLargeError("The file", 9)
        assert allowance.explained(server) is server
        assert Allowance().explained(server) is server


class TestQuotasOverHttp:
    @pytest.fixture
    async def gateway(self) -> AsyncIterator[Gateway]:
        limits = LimitSettings(concurrent_jobs=2, stored_bytes=len(MP4) * 2 - 1)
        async with Gateway(GatewaySettings(max_upload_bytes=100_000), limits=limits).running() as made:
            yield made

    async def refused(self, gateway: Gateway, **more: Any) -> tuple[int, str, str]:
        status, body = await gateway.post(form(**more))
        return status, body["error"]["code"], body["error"]["detail"]["quota"]

    async def test_bytes(self, gateway: Gateway) -> None:
        assert (await gateway.post(form()))[0] == 201
        (held,) = gateway.jobs.held.values()
        (key,) = gateway.keys.held.values()
        assert held.key_id == key.id
        assert await self.refused(gateway) == (429, "QUOTA_EXCEEDED", "stored_bytes")
        assert list(gateway.objects.held) == [held.media.key]
        assert len(gateway.jobs.held) == 1

    async def test_a_file_over_the_servers_limit_is_still_413(self, gateway: Gateway) -> None:
        async with Gateway(limits=LimitSettings(stored_bytes=200_000)).running() as other:
            status, body = await other.post(form(bytes(MP4) + bytes(100_000)))
            assert (status, body["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")

    async def test_jobs(self, gateway: Gateway) -> None:
        (key,) = gateway.keys.held.values()
        for name in ("a", "b"):
            await gateway.jobs.insert(job(gateway.clock, name, key_id=key.id))
        assert await self.refused(gateway) == (429, "QUOTA_EXCEEDED", "concurrent_jobs")
        async with gateway.client.post(JOBS, data=form()) as answer:
            assert answer.headers["Retry-After"] == "10"
        assert not gateway.objects.held
