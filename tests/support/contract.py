"""Holds answers against an OpenAPI document: status documented, body as its schema says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "videoannotator-openapi-1.3.0.json"
_URI = "urn:document"


@dataclass(frozen=True)
class Contract:
    """An OpenAPI 3.1 document that answers are held against."""

    document: dict[str, Any]

    @classmethod
    def of_file(cls, path: Path) -> Contract:
        """The document in a file."""
        return cls(json.loads(path.read_text()))

    def operations(self) -> dict[str, tuple[str, str]]:
        """(method, path) by operation id."""
        return {
            operation["operationId"]: (method.upper(), path)
            for path, operations in self.document["paths"].items()
            for method, operation in operations.items()
        }

    def statuses(self, method: str, path: str) -> set[int]:
        """The statuses that are documented for an operation."""
        return {int(status) for status in self.document["paths"][path][method.lower()]["responses"]}

    def problems(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What is wrong with a JSON body; nothing if the status has no JSON schema."""
        responses = self.document["paths"][path][method.lower()]["responses"]
        content = responses.get(str(status), {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if not schema:
            return []
        resource = Resource.from_contents(self.document, default_specification=DRAFT202012)
        registry: Registry[Any] = Registry().with_resource(_URI, resource)
        wanted = _absolute(schema)
        validator = Draft202012Validator(wanted, registry=registry)
        return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(body)]


def _absolute(value: Any) -> Any:
    """References into the document, made references from outside of it."""
    if isinstance(value, dict):
        return {key: f"{_URI}{inner}" if key == "$ref" else _absolute(inner) for key, inner in value.items()}
    return [_absolute(inner) for inner in value] if isinstance(value, list) else value
