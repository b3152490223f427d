"""The rest of the stand-in for the gateway: what is not the way of one job from upload to files."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from aiohttp import web


class More:
    """Deleting, archives, validation, keys, the server itself, and the feed of all jobs."""

    jobs: dict[str, dict[str, Any]]
    files: dict[tuple[str, str], bytes]

    def more_routes(self) -> list[web.RouteDef]:
        self.bodies: list[Any] = []
        self.keys: dict[str, dict[str, Any]] = {}
        self.zip: bytes | None = None
        self.feed: list[list[str | None]] = []
        """For each stream in turn what it says, raw; None breaks it."""
        self.streams = 0
        self.refuse_streams_after: int | None = None
        return [
            web.delete("/api/v1/jobs/{job}", self._delete),
            web.get("/api/v1/jobs/{job}/artifacts", self._artifacts),
            web.post("/api/v1/config/validate", self._validate),
            web.post("/api/v1/pipelines/{name}/validate", self._validate),
            web.get("/api/v1/pipelines/{name}", self._pipeline),
            web.get("/api/v1/pipelines/{name}/schema", self._schema),
            web.get("/api/v1/system/{what}", self._system),
            web.get("/api/v1/debug/{what:.*}", self._debug),
            web.post("/api/v1/events/token", self._event_token),
            web.post("/api/v1/viewer/connect", self._connect),
            web.get("/api/v1/keys", self._list_keys),
            web.post("/api/v1/keys", self._make_key),
            web.delete("/api/v1/keys/{key}", self._revoke_key),
            web.post("/api/v1/keys/{key}/rotate", self._rotate_key),
        ]

    async def _delete(self, request):
        if self.jobs.pop(request.match_info["job"], None) is None:
            raise missing("JOB_NOT_FOUND", f"Job {request.match_info['job']} not found")
        return web.Response(status=204)

    async def _artifacts(self, request):
        if request.match_info["job"] not in self.jobs:
            raise missing("JOB_NOT_FOUND", f"Job {request.match_info['job']} not found")
        body = self.zip if self.zip is not None else zipped(clip=b"video")
        response = web.StreamResponse(headers={"Content-Type": "application/zip"})
        await response.prepare(request)
        await response.write(body)
        return response

    async def _validate(self, request):
        body = await request.json()
        self.bodies.append(body)
        wrong = [name for name, value in json_items(body["config"]) if value == "bad"]
        errors = [
            {"field": name, "message": f"{name} is bad", "code": "INVALID_TYPE", "hint": "A number"}
            for name in wrong
        ]
        odd = [{"field": "novel", "message": "unknown", "suggestion": "Leave it out"}]
        return web.json_response(
            {"valid": not wrong, "errors": errors, "warnings": odd, "message": "checked"}
        )

    async def _pipeline(self, request):
        name = request.match_info["name"]
        if name == "nothing":
            raise missing("PIPELINE_NOT_FOUND", "Pipeline 'nothing' not found")
        return web.json_response(
            {"name": name, "outputs": [], "config_schema": {"threshold": {"default": 1}}}
        )

    async def _schema(self, request):
        parameters = [{"name": "threshold", "type": "number", "default": 27.0, "minimum": 0}]
        return web.json_response({"parameters": parameters})

    async def _system(self, request):
        what = request.match_info["what"]
        if what == "health":
            return web.json_response(
                {
                    "status": "healthy",
                    "api_version": "1",
                    "uptime_seconds": 5,
                    "database": {"status": "healthy"},
                    "gpu": {"available": False},
                    "workers": {"active_jobs": 0},
                }
            )
        return web.json_response({"what": what})

    async def _debug(self, request):
        return web.json_response({"asked": request.match_info["what"], **request.query})

    async def _event_token(self, request):
        self.bodies.append(await request.json())
        return web.json_response({"token": "tok", "expires_at": "2026-11-24T10:00:00Z"})

    async def _connect(self, request):
        url = "/viewer-connect#token=once"
        return web.json_response({"url": url, "expires_at": "2026-11-24T10:05:00Z"})

    async def _list_keys(self, request):
        rows = [{k: v for k, v in key.items() if k != "key"} for key in self.keys.values()]
        return web.json_response({"keys": rows, "total": len(rows)})

    async def _make_key(self, request):
        body = await request.json()
        self.bodies.append(body)
        return web.json_response(self._new_key(body["name"]), status=201)

    async def _revoke_key(self, request):
        self.keys.pop(request.match_info["key"], None)
        return web.Response(status=204)

    async def _rotate_key(self, request):
        self.bodies.append(await request.json())
        return web.json_response(self._new_key("next"), status=201)

    def _new_key(self, name: str) -> dict[str, Any]:
        number = str(len(self.keys) + 1)
        self.keys[number] = {"id": number, "name": name, "key": f"va_{number}", "scopes": ["jobs:read"]}
        return self.keys[number]

    async def stream_of_all(self, request):
        self.streams += 1
        if self.refuse_streams_after is not None and self.streams > self.refuse_streams_after:
            return web.json_response({"detail": "Invalid or expired token"}, status=401)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in self.feed.pop(0) if self.feed else []:
            if piece is None:
                request.transport.close()
                return response
            await response.write(piece.encode())
        if not self.feed:
            await self._ended.wait()
        return response


def json_items(config: dict[str, Any]) -> list[tuple[str, Any]]:
    """Keys and values of a configuration, with those one level down."""
    flat = []
    for key, value in config.items():
        flat += list(value.items()) if isinstance(value, dict) else [(key, value)]
    return flat


def missing(code: str, message: str) -> web.HTTPNotFound:
    error = {"error": {"code": code, "message": message, "hint": "List them"}, "detail": message}
    return web.HTTPNotFound(text=json.dumps(error), content_type="application/json")


def zipped(**files: bytes) -> bytes:
    """A ZIP; names with two underscores stand for a folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name.replace("__", "/"), body)
    return out.getvalue()


def told(job: str, seq: int, kind: str = "task.started") -> str:
    """An event of the feed of all jobs, as it comes over the wire."""
    body = {"job_id": job, "seq": seq, "id": f"{job}-{seq}", "type": kind, "status": "running", "data": {}}
    return f"id: {job}:{seq}\nevent: {kind}\ndata: {json.dumps(body)}\n\n"
