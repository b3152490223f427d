"""Two tables over all operations: nobody learns of a stranger's things, and no key does more than its scopes.

A new operation without an entry here fails: say whether it is open, and, if it takes an id, whose id it is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from gateway_kit import MP4, Gateway, job

from frameloom.common import layout
from frameloom.common.documents import (
    ApiKey,
    Artefact,
    JobStatus,
    MediaRef,
    TaskDocument,
    TaskResult,
    TaskState,
    TaskSummary,
    Upload,
    UploadWay,
)
from frameloom.gateway.http.typed import Operation, Source, parameters_of
from frameloom.gateway.services.bootstrap import drawn
from frameloom.gateway.services.caller import ANY_KEY, Scope

OPEN = {
    "health_check_api_v1_health_get",
    "health_check_health_get",
    "list_pipelines_api_v1_pipelines__get",
    "get_pipeline_info_api_v1_pipelines__pipeline_name__get",
    "get_pipeline_schema_api_v1_pipelines__pipeline_name__schema_get",
    "get_pipeline_schema_api_v1_pipelines_schema__pipeline_name__get",
    "validate_pipeline_config_api_v1_pipelines__pipeline_name__validate_post",
    "validate_config_api_v1_config_validate_post",
    "detailed_health_check_api_v1_system_health_get",
    "get_system_metrics_api_v1_system_metrics_get",
    "get_system_config_api_v1_system_config_get",
    "get_database_info_endpoint_api_v1_system_database_get",
    "metrics_metrics_get",
    "exchange_viewer_token",
    "upload_options",
    "upload_options_of_one",
}
"""Operations that need no key: they tell nothing of anybody's jobs, or only how many there are; or they bring
a secret of their own."""

ANY = {"get_token_debug_info_api_v1_debug_token_info_get"}
"""Operations that any key may ask for: they tell of that key only."""

ECHOES = {"mock_sse_events_api_v1_debug_mock_events_get"}
"""Operations that take an id and only say it again."""

PAGES = ("/docs", "/redoc", "/openapi.json", "/viewer", "/static")
"""Routes that are no operations: the pages about the API, and the viewer's files."""

NOBODYS_IDS = {"pipeline_name", "pipeline_id", "filename"}
"""Path parameters that name what belongs to no tenant, or only a part of what another parameter names."""


@dataclass(frozen=True)
class Entry:
    """How a stranger's thing is asked for.

    Attributes:
        kind: What the id is of: ``job``, ``key``, ``upload``, or ``direct``: one straight into the store.
        query: The parameter that has the id, if it is not in the path.
        body: The field of the JSON body that has it, likewise.
        options: What else the request needs to be complete.
        headers: Likewise.
    """

    kind: str
    query: str | None = None
    body: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


PIECE = {
    "Tus-Resumable": "1.0.0",
    "Upload-Offset": "0",
    "Content-Type": "application/offset+octet-stream",
}


IDS = {
    "get_job_status_api_v1_jobs__job_id__get": Entry("job"),
    "cancel_job_api_v1_jobs__job_id__delete": Entry("job"),
    "cancel_job_endpoint_api_v1_jobs__job_id__cancel_post": Entry("job"),
    "get_job_results_api_v1_jobs__job_id__results_get": Entry("job"),
    "download_result_file_api_v1_jobs__job_id__results_files__pipeline_name__get": Entry("job"),
    "head_result_file_api_v1_jobs__job_id__results_files__pipeline_name__head": Entry("job"),
    "download_artifacts_api_v1_jobs__job_id__artifacts_get": Entry("job"),
    "head_artifacts_api_v1_jobs__job_id__artifacts_head": Entry("job"),
    "get_job_video_api_v1_jobs__job_id__video_get": Entry("job"),
    "head_job_video_api_v1_jobs__job_id__video_head": Entry("job"),
    "events_stream_api_v1_events_stream_get": Entry("job", query="job_id"),
    "create_events_token": Entry("job", body="job_id"),
    "get_job_debug_info_api_v1_debug_jobs__job_id__get": Entry("job"),
    "get_key": Entry("key"),
    "revoke_key": Entry("key"),
    "rotate_key": Entry("key"),
    "head_upload": Entry("upload"),
    "get_upload": Entry("upload"),
    "end_upload": Entry("upload"),
    "direct_upload_parts": Entry("direct"),
    "complete_direct_upload": Entry("direct", options={"json": {}}),
    "patch_upload": Entry("upload", options={"data": b"x"}, headers=PIECE),
    "override_upload": Entry(
        "upload", options={"data": b"x"}, headers={**PIECE, "X-HTTP-Method-Override": "PATCH"}
    ),
}
"""Operations that take the id of something that belongs to a tenant."""

ELSEWHERE = {"events_socket"}
"""Operations that take such ids in a way of their own, tried in tests of their own."""

READING_POSTS = {"create_events_token", "connect_viewer"}
"""Operations that change nothing, though they are a POST."""

WRITING_GETS = {"head_upload", "get_upload"}
"""Operations that are a part of writing, though they change nothing."""

DUMMIES = {"pipeline_name": "scene_detection", "pipeline_id": "scene_detection"}
THEIRS, OURS, NOBODYS = (f"01a20fc8-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))
FILE = b'{"annotations": []}'


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


@pytest.fixture(scope="module")
async def operations() -> dict[str, Operation]:
    async with Gateway().running() as made:
        return {operation.id: operation for operation in made.operations()}


async def a_key(gateway: Gateway, *scopes: Scope, tenant: str = "ours", key_id: str | None = None) -> str:
    text = drawn()
    key = ApiKey(
        id=key_id or f"id-of-{text[3:]}",
        hash=gateway.access.ring.hash(text),
        prefix=text[:8],
        name="n",
        tenant=tenant,
        scopes=tuple(scopes),
        created_at=gateway.clock.now(),
    )
    assert await gateway.keys.insert(key)
    return text


async def a_job(gateway: Gateway, name: str, tenant: str) -> None:
    """A running job of which one pipeline has brought a file."""
    artefact = Artefact(
        key=f"results/{name}",
        filename="a.json",
        format="COCO",
        media_type="application/json",
        size_bytes=len(FILE),
        sha256="0" * 64,
        annotation_count=1,
    )
    result = TaskResult(epoch=1, manifest_key="m", artefacts=(artefact,), annotation_count=1)
    task = TaskSummary(id=f"t-{name}", pipeline="scene_detection", state=TaskState.COMPLETED, result=result)
    media = MediaRef(key=f"media/{name}", filename="a.mp4", size_bytes=len(FILE), sha256="0" * 64)
    made = job(gateway.clock, name, tenant=tenant, media=media, status=JobStatus.RUNNING, tasks=(task,))
    await gateway.jobs.insert(made)
    document = TaskDocument(
        id=task.id,
        job_id=name,
        tenant=tenant,
        pipeline=task.pipeline,
        media=made.media,
        created_at=made.created_at,
        state=TaskState.COMPLETED,
        result=result,
    )
    await gateway.tasks.insert_missing([document])
    await gateway.objects.put(artefact.key, FILE, artefact.media_type)
    await gateway.objects.put(made.media.key, FILE, "video/mp4")


async def an_upload(gateway: Gateway, name: str, tenant: str, *, direct: bool) -> None:
    """An upload of which nothing has come yet; or one that the client has written and not completed."""
    now = gateway.clock.now()
    made = Upload(
        id=name,
        tenant=tenant,
        way=UploadWay.PUT if direct else UploadWay.TUS,
        length_bytes=len(MP4),
        part_bytes=1000,
        store_id=await gateway.objects.begin_parts(layout.uploaded(name), "video/mp4"),
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    await gateway.unfinished.insert(made)
    if direct:
        await gateway.objects.put(layout.uploaded(name), MP4, "video/mp4")


def path_of(operation: Operation, wanted: str) -> str:
    path = operation.path
    for parameter in parameters_of(operation.handler):
        if parameter.source is Source.PATH:
            path = path.replace(f"{{{parameter.name}}}", DUMMIES.get(parameter.name, wanted))
    return path


async def asked(gateway: Gateway, operation: Operation, wanted: str, key: str) -> tuple[int, str]:
    """The status, and the body without the id and the time of the answer."""
    entry = IDS.get(operation.id, Entry("job"))
    headers = {"Authorization": f"Bearer {key}", **entry.headers}
    query = {entry.query: wanted, "close_on_end": "true"} if entry.query else {}
    body_sent = {"json": {entry.body: wanted}} if entry.body else {}
    async with (
        gateway.stranger() as http,
        http.request(
            operation.method,
            path_of(operation, wanted),
            params=query,
            headers=headers,
            **entry.options,
            **body_sent,
        ) as answer,
    ):
        if answer.content_type == "text/event-stream":
            return answer.status, ""
        body = (await answer.read()).decode(errors="replace")
    if answer.content_type == "application/json" and body:
        document = json.loads(body)
        (document.get("error") or {}).pop("timestamp", None)
        body = json.dumps(document)
    return answer.status, body.replace(wanted, "ID")


class TestStrangers:
    def test_every_operation_that_takes_an_id_has_an_entry(self, operations: dict[str, Operation]) -> None:
        takes = set()
        for operation in operations.values():
            if operation.id in OPEN:
                continue
            for parameter in parameters_of(operation.handler):
                if parameter.source is Source.PATH and parameter.name not in NOBODYS_IDS:
                    takes.add(operation.id)
                if parameter.source in {Source.QUERY, Source.BODY} and any(
                    name.endswith("_id") and not name.startswith("last_")
                    for name in getattr(parameter.kind, "model_fields", {})
                ):
                    takes.add(operation.id)
        assert takes - ECHOES == set(IDS) | ELSEWHERE, "say in IDS whose id it is, and how it is asked for"

    @pytest.mark.parametrize("name", sorted(IDS))
    async def test_a_strangers_id_is_as_good_as_none(
        self, gateway: Gateway, operations: dict[str, Operation], name: str
    ) -> None:
        operation = operations[name]
        key = await a_key(gateway, Scope.ADMIN)
        for tenant, wanted in (("theirs", THEIRS), ("ours", OURS)):
            await a_job(gateway, wanted, tenant)
            await a_key(gateway, Scope.JOBS_READ, tenant=tenant, key_id=wanted)
            await an_upload(gateway, wanted, tenant, direct=IDS[name].kind == "direct")
        before = (
            dict(gateway.jobs.held),
            dict(gateway.keys.held),
            dict(gateway.objects.held),
            dict(gateway.unfinished.held),
        )
        stranger = await asked(gateway, operation, THEIRS, key)
        assert stranger == await asked(gateway, operation, NOBODYS, key)
        assert stranger[0] == 404
        held = (gateway.jobs.held, gateway.keys.held, gateway.objects.held, gateway.unfinished.held)
        assert before == held
        # One's own is found, so it is not the question that was wrong.
        assert (await asked(gateway, operation, OURS, key))[0] in {200, 201, 204}

    async def test_lists_have_ones_own_only(self, gateway: Gateway) -> None:
        key = await a_key(gateway, Scope.ADMIN)
        for tenant, wanted in (("theirs", THEIRS), ("ours", OURS)):
            await a_job(gateway, wanted, tenant)
            await a_key(gateway, Scope.JOBS_READ, tenant=tenant, key_id=wanted)
        for path in ("/api/v1/jobs/", "/api/v1/keys"):
            headers = {"Authorization": f"Bearer {key}"}
            async with gateway.stranger() as http, http.get(path, headers=headers) as answer:
                text = await answer.text()
            assert OURS in text
            assert THEIRS not in text


class TestScopes:
    def test_every_operation_is_open_or_has_a_scope(self, operations: dict[str, Operation]) -> None:
        assert {name for name, operation in operations.items() if operation.scope is None} == OPEN
        assert {name for name, operation in operations.items() if operation.scope == ANY_KEY} == ANY

    async def test_every_route_is_an_operation_or_a_page(self, gateway: Gateway) -> None:
        ours = {operation.path.rstrip("/") for operation in gateway.operations()}
        for route in gateway.app.router.routes():
            path = route.resource.canonical if route.resource is not None else "?"
            assert path.rstrip("/") in ours or path.startswith(PAGES), path

    def test_what_writes_does_not_need_a_reading_scope_only(self, operations: dict[str, Operation]) -> None:
        for operation in operations.values():
            if operation.id in READING_POSTS:
                assert operation.scope is Scope.JOBS_READ
            elif operation.method not in {"GET", "HEAD"} and operation.scope is not None:
                assert operation.scope in {Scope.JOBS_WRITE, Scope.ADMIN}, operation.id
            if operation.method in {"GET", "HEAD"} and operation.id not in WRITING_GETS:
                assert operation.scope is not Scope.JOBS_WRITE, operation.id

    async def test_a_key_without_the_scope_is_refused(
        self, gateway: Gateway, operations: dict[str, Operation]
    ) -> None:
        for operation in operations.values():
            if operation.scope is None or operation.id in ANY:
                continue
            others = [scope for scope in Scope if scope not in {operation.scope, Scope.ADMIN}]
            key = await a_key(gateway, *others)
            status, body = await asked(gateway, operation, NOBODYS, key)
            assert status == 403, operation.id
            if operation.method != "HEAD":
                error = json.loads(body)["error"]
                assert (error["code"], error["detail"]) == ("FORBIDDEN", {"scope": operation.scope})

    async def test_without_a_key_nothing_but_the_open_answers(
        self, gateway: Gateway, operations: dict[str, Operation]
    ) -> None:
        for operation in operations.values():
            async with (
                gateway.stranger() as http,
                http.request(operation.method, path_of(operation, NOBODYS)) as answer,
            ):
                expected = {403} if operation.strict else {401}
                if operation.scope is None:
                    assert answer.status not in {401, 403}, operation.id
                else:
                    assert answer.status in expected, operation.id
