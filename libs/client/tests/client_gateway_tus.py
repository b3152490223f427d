"""Resumable uploads of the stand-in for the gateway, with breaks on order."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from aiohttp import web


class Tus:
    """The core of tus 1.0.0, creation and termination."""

    jobs: dict[str, dict[str, Any]]
    uploads: list[tuple[int, str]]

    def tus_routes(self) -> list[web.RouteDef]:
        self.speaks_tus = True
        self.open: dict[str, dict[str, Any]] = {}
        self.given_up: list[str] = []
        self.breaks: list[int] = []
        """Each PATCH in turn breaks after so many bytes of it were taken."""
        self.lost_answers = 0
        """So many answers to last PATCHes are lost."""
        self.refuse_at_the_end: dict[str, Any] | None = None
        self.locked = 0
        self.examining = 0
        """So many HEADs after the last byte tell of no job yet."""
        one = "/api/v1/uploads/{upload}"
        return [
            web.post("/api/v1/uploads", self._begin),
            web.head(one, self._where),
            web.patch(one, self._take),
            web.delete(one, self._give_up),
            web.get(one, self._show, allow_head=False),
        ]

    async def _begin(self, request):
        if not self.speaks_tus:
            return web.json_response({"detail": "Not Found"}, status=404)
        assert request.headers["Tus-Resumable"] == "1.0.0"
        pairs = (pair.split(" ") for pair in request.headers["Upload-Metadata"].split(","))
        facts = {name: base64.b64decode(value).decode() for name, value in pairs}
        name = f"up-{len(self.open) + 1}"
        length = int(request.headers["Upload-Length"])
        self.open[name] = {
            "length": length,
            "got": 0,
            "sha256": hashlib.sha256(),
            "facts": facts,
            "job": None,
            "error": None,
        }
        return web.Response(status=201, headers={"Location": f"/api/v1/uploads/{name}"})

    async def _take(self, request):
        upload = self.open[request.match_info["upload"]]
        if self.locked:
            self.locked -= 1
            return web.json_response(_error("UPLOAD_LOCKED", "Another request writes to it"), status=423)
        if int(request.headers["Upload-Offset"]) != upload["got"]:
            return web.json_response(_error("OFFSET_MISMATCH", "Elsewhere"), status=409)
        budget = self.breaks.pop(0) if self.breaks else None
        async for piece in request.content.iter_any():
            taken = piece if budget is None else piece[:budget]
            upload["got"] += len(taken)
            upload["sha256"].update(taken)
            if budget is not None and (budget := budget - len(taken)) <= 0:
                request.transport.abort()
                return web.Response()
        refusal = self._end(upload) if upload["got"] == upload["length"] else None
        if self.lost_answers:
            self.lost_answers -= 1
            request.transport.abort()
            return web.Response()
        return refusal or web.Response(status=204, headers=_place(upload))

    def _end(self, upload):
        """What an upload becomes when all of it is there."""
        if self.refuse_at_the_end is not None:
            upload["error"] = self.refuse_at_the_end["error"]
            return web.json_response(self.refuse_at_the_end, status=415)
        facts = upload["facts"]
        pipelines = [p for p in facts.get("selected_pipelines", "").split(",") if p] or ["scene_detection"]
        upload["job"] = self.add_job(facts["filename"], pipelines, size=upload["length"])["id"]
        self.uploads.append((upload["length"], facts["filename"]))
        return None

    async def _where(self, request):
        upload = self.open[request.match_info["upload"]]
        if upload["error"]:
            return web.Response(status=410)
        headers = _place(upload)
        if upload["job"] and self.examining:
            self.examining -= 1
            del headers["X-Job-Id"]
        return web.Response(headers=headers)

    async def _show(self, request):
        error = self.open[request.match_info["upload"]]["error"]
        return web.json_response({"status": "refused", "error": error})

    async def _give_up(self, request):
        self.given_up.append(request.match_info["upload"])
        return web.Response(status=204)


def _place(upload: dict[str, Any]) -> dict[str, str]:
    told = {"Upload-Offset": str(upload["got"])}
    return told | ({"X-Job-Id": upload["job"]} if upload["job"] else {})


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}, "detail": message}
