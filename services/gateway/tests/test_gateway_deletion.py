"""Deleting a job: at once, for every route, once, whatever happens beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from gateway_kit import Gateway, job, soon

from frameloom.common.documents import LISTED, JobStatus, TaskState, TaskSummary
from frameloom.common.events import JobEventMessage


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


class TestDeleting:
    async def delete(self, gateway: Gateway, job_id: str = "j") -> tuple[int, bytes]:
        async with gateway.client.delete(f"/api/v1/jobs/{job_id}") as answer:
            return answer.status, await answer.read()

    @pytest.mark.parametrize("status", LISTED)
    async def test_it_is_gone_for_every_route_at_once(self, gateway: Gateway, status: JobStatus) -> None:
        task = TaskSummary(id="t", pipeline="scene_detection", state=TaskState.RUNNING)
        await gateway.jobs.insert(job(gateway.clock, "j", status=status, tasks=(task,)))
        await gateway.jobs.insert(job(gateway.clock, "other", status=status))
        assert (await gateway.get("/api/v1/jobs/"))[1]["total"] == 2
        assert await self.delete(gateway) == (204, b"")
        for path in ("", "/results", "/results/files/scene_detection"):
            code, body = await gateway.get(f"/api/v1/jobs/j{path}")
            assert (code, body["error"]["code"]) == (404, "JOB_NOT_FOUND")
        assert (await gateway.get("/api/v1/events/stream?job_id=j"))[0] == 404
        assert (await gateway.post(None, "/api/v1/jobs/j/cancel"))[0] == 404
        for query in ("", f"?status_filter={status}"):
            _, page = await gateway.get(f"/api/v1/jobs/{query}")
            assert (page["total"], [entry["id"] for entry in page["jobs"]]) == (1, ["other"])
        assert (await gateway.get("/api/v1/health?detailed=true"))[1]["details"]["database"][
            "jobs_count"
        ] == 1

    async def test_again_it_is_a_404_and_changes_nothing(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "j"))
        assert (await self.delete(gateway))[0] == 204
        tombstone = gateway.jobs.held["j"]
        code, body = await self.delete(gateway)
        assert (code, json.loads(body)["error"]["code"]) == (404, "JOB_NOT_FOUND")
        assert gateway.jobs.held["j"].seq == tombstone.seq
        assert (await self.delete(gateway, "nobody"))[0] == 404

    async def test_its_event_goes_out_once(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "j"))
        await self.delete(gateway)
        await self.delete(gateway)
        await soon(lambda: not gateway.jobs.held["j"].relay_due)
        kinds = [event.type for event in gateway.published.on("events") if isinstance(event, JobEventMessage)]
        assert kinds == ["job.submitted", "job.deleted"]

    async def test_no_status_is_called_deleted(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "j"))
        await self.delete(gateway)
        _, page = await gateway.get("/api/v1/jobs/?status_filter=deleted")
        assert (page["total"], page["jobs"]) == (0, [])

    async def test_of_two_at_once_one_deletes(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "j"))
        answers = await asyncio.gather(*(self.delete(gateway) for _ in range(5)))
        assert sorted(code for code, _ in answers) == [204, 404, 404, 404, 404]
        assert [event.type for event in gateway.jobs.held["j"].events].count("job.deleted") == 1

    async def test_a_cancel_that_meets_a_deletion_finds_no_job(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "j"))
        real = gateway.jobs.apply

        async def deleted_meanwhile(change: Any) -> Any:
            gateway.jobs.apply = real  # type: ignore[method-assign]
            await self.delete(gateway)
            return await real(change)

        gateway.jobs.apply = deleted_meanwhile  # type: ignore[method-assign, assignment]
        code, body = await gateway.post(None, "/api/v1/jobs/j/cancel")
        assert (code, body["error"]["code"]) == (404, "JOB_NOT_FOUND")

    async def test_a_job_that_changes_meanwhile_is_deleted_all_the_same(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "j"))
        assert (await gateway.get("/api/v1/jobs/"))[1]["total"] == 1
        real = gateway.jobs.apply

        async def cancelled_meanwhile(change: Any) -> Any:
            gateway.jobs.apply = real  # type: ignore[method-assign]
            await gateway.post(None, "/api/v1/jobs/j/cancel")
            return await real(change)

        gateway.jobs.apply = cancelled_meanwhile  # type: ignore[method-assign, assignment]
        assert (await self.delete(gateway))[0] == 204
        assert gateway.jobs.held["j"].events[-1].data["was"] == "cancelled"
        assert (await gateway.get("/api/v1/jobs/"))[1]["total"] == 0
