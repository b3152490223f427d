"""A small real HTTP server on loopback that speaks the gateway's shapes, with faults on order."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from client_gateway_more import More
from client_gateway_tus import Tus

PIPELINES = ("scene_detection", "face_analysis")


@dataclass
class Faults:
    """What goes wrong, and how often."""

    break_stream_after: list[int] = field(default_factory=list)
    """Each stream in turn is cut after so many events."""
    no_stream: bool = False
    silent_stream: bool = False
    job_answers: list[int] = field(default_factory=list)
    """Statuses that GET of a job answers with first."""
    refuse_submit: tuple[int, dict[str, Any]] | None = None
    damage: bool = False
    cut_download_at: int | None = None
    names: dict[str, str] = field(default_factory=dict)
    """File name to announce, by pipeline."""
    fail_pipeline: str | None = None
    gate: threading.Event | None = None
    """Streams stop before the last event until it is set."""
    answers: list[tuple[str, int, dict[str, str], Any]] = field(default_factory=list)
    """Method, status, headers and body that the next requests of this method are answered with; status 0
    breaks the connection."""


class Gateway(More, Tus):
    """Runs in a thread of its own, so that the client under test may have the main one."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.uploads: list[tuple[int, str]] = []
        self.cancelled: list[str] = []
        self.pace = 0.0
        self.steps = 4
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def start(self, port: int = 0) -> Gateway:
        self._port = port
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        app = web.Application(client_max_size=1 << 40, middlewares=[self._note])
        app.add_routes(
            [
                web.get("/api/v1/health", self._health),
                web.get("/api/v1/pipelines/", self._pipelines),
                web.get("/api/v1/jobs/", self._list),
                web.post("/api/v1/jobs/", self._submit),
                web.get("/api/v1/jobs/{job}", self._job),
                web.post("/api/v1/jobs/{job}/cancel", self._cancel),
                web.get("/api/v1/jobs/{job}/results", self._results),
                web.get("/api/v1/jobs/{job}/results/files/{pipeline}", self._file),
                web.get("/api/v1/events/stream", self._stream),
                *self.more_routes(),
                *self.tus_routes(),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._ended.wait()
        await runner.cleanup()

    @web.middleware
    async def _note(self, request, handler):
        self.seen.append((request.method, request.path_qs, dict(request.headers)))
        planned = next((one for one in self.faults.answers if one[0] == request.method), None)
        if planned is None:
            return await handler(request)
        self.faults.answers.remove(planned)
        _, status, headers, body = planned
        if status == 0:
            request.transport.abort()
            return web.Response()
        return web.json_response(body, status=status, headers=headers)

    async def _health(self, request):
        document = {"status": "ok", "version": "0.1.0"}
        if request.query.get("detailed") == "true":
            document["details"] = {
                "database": {"status": "healthy", "jobs_count": len(self.jobs)},
                "gpu": {"available": False},
            }
        return web.json_response(document)

    async def _pipelines(self, request):
        schema = {
            "properties": {"threshold": {"type": "number", "default": 27.0, "minimum": 0, "maximum": 100}}
        }
        rows = [
            {
                "name": name,
                "display_name": name.title(),
                "description": f"Finds [{name}] in videos",
                "outputs": [{"format": "COCO", "types": ["x"]}],
                "config_schema": schema,
            }
            for name in PIPELINES
        ]
        return web.json_response({"pipelines": rows, "total": len(rows)})

    async def _list(self, request):
        page, per_page = int(request.query.get("page", 1)), int(request.query.get("per_page", 10))
        wanted = request.query.get("status_filter")
        jobs = [job for job in self.jobs.values() if wanted in (None, job["status"])]
        rows = jobs[(page - 1) * per_page : page * per_page]
        return web.json_response({"jobs": rows, "total": len(jobs), "page": page, "per_page": per_page})

    async def _submit(self, request):
        reader = await request.multipart()
        form: dict[str, str] = {}
        name, size = "", 0
        while (part := await reader.next()) is not None:
            if part.name == "video":
                if self.faults.refuse_submit:
                    status, body = self.faults.refuse_submit
                    return web.json_response(body, status=status)
                name = part.filename or ""
                while piece := await part.read_chunk(1 << 16):
                    size += len(piece)
            else:
                form[part.name or ""] = await part.text()
        self.uploads.append((size, name))
        pipelines = [p for p in form.get("selected_pipelines", "").split(",") if p] or list(PIPELINES)
        return web.json_response(self.add_job(name, pipelines, size=size), status=201)

    def add_job(self, name: str, pipelines: list[str], *, size: int = 5) -> dict[str, Any]:
        job_id = f"job-{len(self.jobs) + 1}"
        job = {
            "id": job_id,
            "status": "pending",
            "video_filename": name,
            "video_size_bytes": size,
            "config": {},
            "selected_pipelines": pipelines,
            "created_at": "2026-11-22T10:00:00Z",
            "error_message": None,
        }
        self.jobs[job_id] = job
        self.events[job_id] = self._plan(job)
        for pipeline in pipelines:
            rows = [{"id": n} for n in range(3)]
            self.files[job_id, pipeline] = json.dumps({"annotations": rows}).encode()
        return dict(job)

    def _plan(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        plan: list[dict[str, Any]] = []
        seq = 0

        def log(kind: str, status: str, **data: Any) -> None:
            nonlocal seq
            seq += 1
            entry = {
                "job_id": job["id"],
                "seq": seq,
                "id": f"{job['id']}:{seq}",
                "type": kind,
                "status": status,
            }
            plan.append(entry | {"time": "2026-11-22T10:00:01Z", "data": data})

        log("job.submitted", "pending", pipelines=job["selected_pipelines"])
        log("job.started", "running")
        tasks = [(p, f"{job['id']}.{p}") for p in job["selected_pipelines"]]
        for pipeline, task in tasks:
            log("task.started", "running", pipeline=pipeline, task_id=task, attempt=1)
        for step in range(1, self.steps):
            for pipeline, task in tasks:
                part = step / self.steps
                plan.append(
                    {
                        "type": "task.progress",
                        "job_id": job["id"],
                        "data": {
                            "task_id": task,
                            "pipeline": pipeline,
                            "epoch": 1,
                            "stage": "detecting",
                            "fraction": part,
                            "frames_done": int(part * 3000),
                            "media_seconds_done": part * 120,
                        },
                    }
                )
        failing = self.faults.fail_pipeline
        for pipeline, task in tasks:
            facts = {"pipeline": pipeline, "task_id": task, "attempt": 1}
            if pipeline == failing:
                log(
                    "task.failed", "running", **facts, category="decode_error", message="No frame can be read"
                )
            else:
                log("task.completed", "running", **facts, annotation_count=3)
        whole = failing is not None and len(tasks) == 1
        log("job.failed" if whole else "job.completed", "failed" if whole else "completed")
        return plan

    def _found(self, request) -> dict[str, Any]:
        job = self.jobs.get(request.match_info["job"])
        if job is None:
            message = f"Job {request.match_info['job']} not found"
            error = {"code": "JOB_NOT_FOUND", "message": message, "hint": "List them"}
            raise web.HTTPNotFound(
                text=json.dumps({"error": error, "detail": message}), content_type="application/json"
            )
        return job

    async def _job(self, request):
        if self.faults.job_answers:
            return web.Response(status=self.faults.job_answers.pop(0))
        return web.json_response(self._found(request))

    async def _cancel(self, request):
        job = self._found(request)
        self.cancelled.append(job["id"])
        job["status"] = "cancelled"
        return web.json_response(job)

    async def _results(self, request):
        job = self._found(request)
        results = {}
        for pipeline in job["selected_pipelines"]:
            body = self.files[job["id"], pipeline]
            row: dict[str, Any] = {"pipeline_name": pipeline, "status": job["status"]}
            if pipeline == self.faults.fail_pipeline:
                row |= {"status": "failed", "error_category": "decode_error"}
                row |= {"error_message": "No frame can be read"}
            elif job["status"] == "completed":
                stem = Path(job["video_filename"]).stem
                name = self.faults.names.get(pipeline, f"{stem}_{pipeline}.json")
                path = f"/api/v1/jobs/{job['id']}/results/files/{pipeline}"
                digest = hashlib.sha256(body).hexdigest()
                row |= {
                    "annotation_count": 3,
                    "processing_time": 1.5,
                    "output_file": name,
                    "download_url": path,
                }
                row |= {"files": [{"filename": name, "size_bytes": len(body), "sha256": digest}]}
                row |= {"attempts": [{"number": 1, "outcome": "completed"}]}
            results[pipeline] = row
        document = {"job_id": job["id"], "status": job["status"], "pipeline_results": results}
        return web.json_response(document)

    async def _file(self, request):
        body = self.files[request.match_info["job"], request.match_info["pipeline"]]
        if self.faults.damage:
            body = body.replace(b"1", b"7")
        headers = {"ETag": '"one"'}
        status, start = 200, 0
        asked = request.headers.get("Range", "")
        if asked:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        headers["Content-Length"] = str(len(body) - start)
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        cut, self.faults.cut_download_at = self.faults.cut_download_at, None
        await response.write(body[start:cut])
        if cut is not None:
            request.transport.close()
        return response

    async def _stream(self, request):
        if self.faults.no_stream:
            return web.json_response({"detail": "Not Found"}, status=404)
        if "job_id" not in request.query:
            return await self.stream_of_all(request)
        job = self.jobs.get(request.query["job_id"])
        if job is None:
            return web.json_response(
                {"error": {"code": "JOB_NOT_FOUND", "message": "Job not found"}}, status=404
            )
        after = int((request.headers.get("Last-Event-ID") or ":0").rpartition(":")[2])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": hello\n\nevent: heartbeat\ndata: {}\n\n")
        if self.faults.silent_stream:
            job["status"] = "completed"
            await self._ended.wait()
        budget = self.faults.break_stream_after.pop(0) if self.faults.break_stream_after else None
        for entry in self.events[job["id"]]:
            if entry.get("seq", after + 1) <= after:
                continue
            if budget == 0:
                request.transport.close()
                return response
            budget = None if budget is None else budget - 1
            await self._hold(entry)
            if self.pace and "seq" not in entry:
                await asyncio.sleep(self.pace)
            job["status"] = entry.get("status", job["status"])
            tag = f"id: {entry['id']}\n" if "id" in entry else ""
            await response.write(f"{tag}event: {entry['type']}\ndata: {json.dumps(entry)}\n\n".encode())
        return response

    async def _hold(self, entry: dict[str, Any]) -> None:
        gate = self.faults.gate
        if gate is not None and entry["type"] in {"job.completed", "job.failed"}:
            for _ in range(600):
                if gate.is_set() or self._ended.is_set():
                    return
                await asyncio.sleep(0.05)
