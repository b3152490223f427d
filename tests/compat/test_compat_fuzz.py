"""Schemathesis against our own OpenAPI document: no 5xx, no undocumented status, no answer off its schema.

The document is the one that a real deployment serves; thousands of requests go through all services. Streams
that never end by themselves are left out here: their own tests open and close them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.deployment import SERVICES, Deployment
from support.grounds import Grounds

LEAST_CASES = 2000
_EXAMPLES = 120
_SECONDS = 600.0
_SEED = 20261124
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
_ENDLESS = ("/api/v1/events/stream", "/api/v1/events/ws", "/api/v1/debug/mock-events")


@pytest.fixture(scope="module")
async def target(all_grounds: Grounds, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """An installation of its own on the embedded servers, every door that can be opened open."""
    ground = await all_grounds.get("embedded")
    overrides = {"FRAMELOOM_GATEWAY_DEBUG": "true"}
    deployment = Deployment(ground, tmp_path_factory.mktemp("fuzz"), overrides)
    try:
        await deployment.start(*SERVICES)
        await deployment.ready()
        yield deployment
    finally:
        await deployment.close()


async def configuration(target: Deployment, video: Path) -> str:
    """What schemathesis is told: the key, and ids of things that exist, so that it gets past the 404s."""
    job_id = await target.submit(video, "scene_detection")
    await target.ended(job_id)
    headers = {name: value for name, value in target.http.headers.items() if name == "Authorization"}
    hooks = Path(__file__).with_name("fuzz_hooks.py")
    lines = [f'hooks = "{hooks}"']
    lines += [f"headers = {{ {', '.join(f'{k} = {json.dumps(v)}' for k, v in headers.items())} }}"]
    lines += ["[parameters]", f'job_id = "{job_id}"', 'pipeline_name = "scene_detection"']
    lines += [f'upload_id = "{await begun(target)}"', 'Tus-Resumable = "1.0.0"']
    lines += [f'[[operations]]\ninclude-path = "{path}"\nenabled = false' for path in _ENDLESS]
    # Each of these takes the thing away that the others need: they get ids of their own making.
    nobodys = 'job_id = "no-such-job", upload_id = "no-such-upload"'
    lines.append(f'[[operations]]\ninclude-method = "DELETE"\nparameters = {{ {nobodys} }}')
    return "\n".join(lines)


async def begun(target: Deployment) -> str:
    """A resumable upload that waits for its bytes."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5000000"}
    skipped = ("Content-Type",)
    async with target.http.post(
        f"{target.base_url}/api/v1/uploads", headers=headers, skip_auto_headers=skipped
    ) as answer:
        assert answer.status == 201, await answer.text()
        return answer.headers["Location"].rpartition("/")[2]


@pytest.mark.timeout(_SECONDS + 60)
async def test_no_case_finds_a_fault(target: Deployment, video: Path, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(await configuration(target, video))
    report = tmp_path / "cases.ndjson"
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={config}",
        "run",
        f"{target.base_url}/openapi.json",
        f"--max-examples={_EXAMPLES}",
        f"--checks={','.join(_CHECKS)}",
        f"--seed={_SEED}",
        "--continue-on-failure",
        "--request-timeout=30",
        "--suppress-health-check=all",
        "--report=ndjson",
        f"--report-ndjson-path={report}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            output = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output[-20_000:]
    statuses = answered(report)
    print(f"{sum(statuses.values())} cases:", dict(sorted(statuses.items())))
    assert sum(statuses.values()) >= LEAST_CASES
    assert not any(status >= 500 for status in statuses)
    health = await target.get("/api/v1/health?detailed=true")
    assert health["status"] == "ok"


def answered(report: Path) -> Counter[int]:
    """How many cases were answered with which status."""
    found: Counter[int] = Counter()
    for line in report.read_text().splitlines():
        count(json.loads(line), found)
    return found


def count(value: Any, found: Counter[int]) -> None:
    """Adds every response in an event of the report, wherever it stands there."""
    if isinstance(value, dict):
        response = value.get("response")
        if isinstance(response, dict) and isinstance(response.get("status_code"), int):
            found[response["status_code"]] += 1
        for inner in value.values():
            count(inner, found)
    elif isinstance(value, list):
        for inner in value:
            count(inner, found)
