"""The OpenAPI document: valid, true to the reference, and shown by pages that need nothing from outside."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gateway_kit import Gateway
from openapi_spec_validator import OpenAPIV31SpecValidator

OPTIONAL = {"videoannotator__api__v1__config__ConfigValidationRequest": {"selected_pipelines"}}
"""Required in the reference, which its own viewer does not send."""
REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "videoannotator-openapi-1.3.0.json"

LOCKED = {
    "events_stream_api_v1_events_stream_get",
    "get_server_debug_info_api_v1_debug_server_info_get",
    "get_pipeline_debug_info_api_v1_debug_pipelines_get",
    "mock_sse_events_api_v1_debug_mock_events_get",
    "get_background_jobs_status_api_v1_debug_background_jobs_get",
}
"""Open in the reference; here they tell of jobs, so they need a key."""


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


@pytest.fixture
async def document(gateway: Gateway) -> Any:
    return (await gateway.get("/openapi.json"))[1]


async def test_the_document_is_valid(document: Any) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")


async def test_every_operation_tells_its_failures(document: Any) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert {"500", "503"} <= set(operation["responses"]), (method, path)
            if operation.get("parameters") or "requestBody" in operation:
                assert "422" in operation["responses"], (method, path)
    posted = document["paths"]["/api/v1/jobs/"]["post"]["responses"]
    assert set(posted) == {
        *("200", "201", "400", "401", "403", "408", "413", "415", "422", "429", "500", "503")
    }


async def test_operations_with_a_scope_ask_for_a_key(document: Any) -> None:
    assert document["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            asked = "security" in operation
            assert asked == ({"401", "403"} <= set(operation["responses"])), (method, path)
            if asked:
                assert operation["security"] == [{"HTTPBearer": []}]
    assert "security" not in document["paths"]["/api/v1/health"]["get"]


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference document is not beside this checkout")
async def test_names_are_those_of_the_reference(document: Any) -> None:
    reference = json.loads(REFERENCE.read_text())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            known = reference["paths"].get(path, {}).get(method)
            if known is None:
                continue  # of ours alone
            assert operation["operationId"] == known["operationId"]
            assert operation.get("tags") == known.get("tags")
            assert operation["summary"] == known["summary"]
            assert operation.get("security") == known.get("security") or operation["operationId"] in LOCKED
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert names >= {parameter["name"] for parameter in known.get("parameters", [])}
            assert set(operation["responses"]) >= set(known["responses"])
    schemas = document["components"]["schemas"]
    for name in set(schemas) & set(reference["components"]["schemas"]):
        known = reference["components"]["schemas"][name]
        assert set(schemas[name]["properties"]) >= set(known["properties"]), name
        optional = OPTIONAL.get(name, set())
        assert schemas[name].get("required", []) == [
            field for field in known.get("required", []) if field not in optional
        ], name


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_need_nothing_from_outside(gateway: Gateway, page: str) -> None:
    async with gateway.client.get(page) as answer:
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        text = await answer.text()
    links = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(links) >= 3
    for link in links:
        assert "//" not in link
        async with gateway.client.get(f"/{link}") as answer:
            assert answer.status == 200, link
            assert b"cdn." not in await answer.read()
