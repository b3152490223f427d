"""Frameloom's services as child processes, which a test can kill and start again."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import uuid
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from frameloom.common.adapters.mongo import Mongo, MongoJobStore, MongoTaskStore
from frameloom.common.adapters.s3 import S3ObjectStore
from frameloom.common.documents import JobDocument, TaskDocument
from frameloom.common.settings import MongoSettings, S3Settings
from frameloom.local.process import ChildProcess
from support.grounds import Ground

_TESTS = Path(__file__).parents[1]
READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
SERVICES = ("gateway", "scheduler", "results", "worker")


class Deployment:
    """One installation on a ground: topics, database and bucket of its own.

    Attributes:
        environment: Of its services.
        api_key: Allows everything; its own session sends it.
    """

    def __init__(self, ground: Ground, folder: Path, overrides: Mapping[str, str] | None = None) -> None:
        name = f"t{uuid.uuid4().hex[:10]}"
        self._folder = folder
        self._processes: dict[str, ChildProcess] = {}
        self._ports: dict[str, int] = {}
        self.api_key = f"va_{secrets.token_urlsafe(32)}"
        self.session: aiohttp.ClientSession | None = None
        self.environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ},
            **ground.environment,
            "FRAMELOOM_KAFKA_TOPIC_PREFIX": name,
            "FRAMELOOM_KAFKA_PARTITIONS": "4",
            "FRAMELOOM_MONGO_DATABASE": name,
            "FRAMELOOM_S3_BUCKET": name,
            "FRAMELOOM_LEASE_SECONDS": "3",
            "FRAMELOOM_LEASE_FINALIZE_SECONDS": "10",
            "FRAMELOOM_WORKER_CACHE_DIR": str(folder / "cache"),
            "FRAMELOOM_WORKER_EXTRA_PIPELINES": ",".join(
                f"support.pipelines:{name}"
                for name in ("Gated", "InSegments", "Crashing", "Stuck", "Bodies", "Heads")
            ),
            "FRAMELOOM_LOG_FORMAT": "json",
            "FRAMELOOM_AUTH_SECRET": secrets.token_hex(32),
            "FRAMELOOM_AUTH_INITIAL_KEY": self.api_key,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_TESTS), os.environ.get("PYTHONPATH")))),
            **(overrides or {}),
        }

    async def start(self, *names: str) -> None:
        """Starts services by name; ``worker-2`` is a second worker, ``gateway-2`` a second gateway."""
        for name in names:
            module = name.split("-")[0]
            environment = dict(self.environment)
            if module == "gateway":
                environment["FRAMELOOM_GATEWAY_PORT"] = str(self._port(name))
            with (self._folder / f"{name}.log").open("ab") as log:
                self._processes[name] = await ChildProcess.spawn(
                    [sys.executable, "-m", f"frameloom.{module}"], env=environment, output=log
                )

    async def kill(self, *names: str) -> None:
        """Ends services at once (SIGKILL), as a crash would."""
        for name in names:
            process = self._processes.pop(name)
            os.kill(process.pid, 9)
            await process.wait()

    async def stop(self, *names: str) -> list[int]:
        """Ends services in order (SIGTERM); answers their exit codes."""
        return [await self._processes.pop(name).stop(30) for name in names]

    async def ready(self) -> None:
        """Waits until every part answers."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                self._check_alive()
                try:
                    health = await self.get("/api/v1/health?detailed=true")
                except (aiohttp.ClientError, AssertionError):
                    health = {}
                services = health.get("details", {}).get("services", {})
                if all(services.get(name, {}).get("status") == "healthy" for name in SERVICES):
                    return
                await asyncio.sleep(_POLL_SECONDS)

    async def close(self) -> None:
        """Ends whatever still runs, and gives back what it took of the servers that all tests share."""
        if self.session is not None:
            await self.session.close()
        for name in list(self._processes):
            await self._processes.pop(name).stop(30)
        # A store holds volumes for each bucket, and a few dozen buckets take all that there are. Where the
        # test has ended the servers there is nothing to give back.
        with suppress(HTTPError, S3Error):
            await asyncio.to_thread(self._remove_bucket)

    def _remove_bucket(self) -> None:
        settings = self._s3()
        client = Minio(
            settings.endpoint,
            access_key=settings.access_key,
            secret_key=settings.secret_key.get_secret_value(),
            region=settings.region,
            secure=False,
            http_client=urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=1, read=20)),
        )
        listed = client.list_objects(settings.bucket, recursive=True)
        names = [DeleteObject(found.object_name) for found in listed if found.object_name]
        assert not list(client.remove_objects(settings.bucket, names))
        client.remove_bucket(settings.bucket)

    def log_of(self, name: str) -> str:
        """What a service has logged."""
        return (self._folder / f"{name}.log").read_text()

    def pid(self, name: str) -> int:
        """A service's process id."""
        return self._processes[name].pid

    @property
    def base_url(self) -> str:
        """Where the gateway is."""
        return self.url_of("gateway")

    def url_of(self, gateway: str) -> str:
        """Where this gateway is."""
        return f"http://127.0.0.1:{self._port(gateway)}"

    @property
    def http(self) -> aiohttp.ClientSession:
        """A client session, closed with the deployment."""
        if self.session is None:
            self.session = self.new_session()
        return self.session

    def new_session(self, api_key: str | None = None) -> aiohttp.ClientSession:
        """A client session of the test's own, with another key if one is given; the test closes it."""
        return aiohttp.ClientSession(headers={"Authorization": f"Bearer {api_key or self.api_key}"})

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancels a job, which must be answered with 200; the job."""
        async with self.http.post(f"{self.base_url}/api/v1/jobs/{job_id}/cancel") as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            return dict(await answer.json())

    async def delete(self, job_id: str) -> int:
        """Asks to delete a job; the status of the answer."""
        async with self.http.delete(f"{self.base_url}/api/v1/jobs/{job_id}") as answer:
            return answer.status

    async def status_of(self, path: str) -> int:
        """The status that a GET is answered with."""
        async with self.http.get(self.base_url + path) as answer:
            return answer.status

    async def get(self, path: str) -> dict[str, Any]:
        """A GET that must answer 200."""
        async with self.http.get(self.base_url + path) as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            return dict(await answer.json())

    async def submit(
        self, media: Path, pipelines: str, config: str | None = None, filename: str | None = None
    ) -> str:
        """Submits a job, which must be accepted; answers its id."""
        async with self.http.post(
            f"{self.base_url}/api/v1/jobs/", data=form(media, pipelines, config, filename)
        ) as answer:
            assert answer.status == 201, (answer.status, await answer.text())
            return str((await answer.json())["id"])

    async def ended(self, job_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """The job once it is over."""
        async with asyncio.timeout(seconds):
            while (job := await self.get(f"/api/v1/jobs/{job_id}"))["status"] in {"pending", "running"}:
                await asyncio.sleep(_POLL_SECONDS)
            return job

    async def running(self, job_id: str, seconds: float = 60.0) -> None:
        """Waits until a task of the job runs."""
        async with asyncio.timeout(seconds):
            while (await self.get(f"/api/v1/jobs/{job_id}"))["status"] != "running":
                await asyncio.sleep(_POLL_SECONDS)

    async def documents(self, job_id: str) -> tuple[JobDocument, list[TaskDocument]]:
        """The job and its tasks as the database has them."""
        async with self._mongo() as mongo:
            job = await MongoJobStore(mongo).get(job_id)
            assert job is not None
            return job, await MongoTaskStore(mongo).of_job(job_id)

    async def left_of(self, job_id: str) -> tuple[JobDocument | None, list[TaskDocument]]:
        """What the database still has of a job, tombstones too."""
        async with self._mongo() as mongo:
            return (
                await MongoJobStore(mongo).with_tombstone(job_id),
                await MongoTaskStore(mongo).of_job(job_id),
            )

    async def keys_of(self, job_id: str) -> list[str]:
        """What lies in the bucket of a job, whatever the prefix."""
        return [key for key in await self.keys() if f"/{job_id}/" in key]

    async def keys(self, prefix: str = "") -> list[str]:
        """What lies in the bucket."""
        async with S3ObjectStore.connected(self._s3()) as objects:
            return await objects.keys(prefix)

    def _s3(self) -> S3Settings:
        return S3Settings(
            endpoint=self.environment["FRAMELOOM_S3_ENDPOINT"],
            access_key=self.environment["FRAMELOOM_S3_ACCESS_KEY"],
            secret_key=self.environment["FRAMELOOM_S3_SECRET_KEY"],
            bucket=self.environment["FRAMELOOM_S3_BUCKET"],
            secure=False,
        )

    def _mongo(self) -> AbstractAsyncContextManager[Mongo]:
        return Mongo.connected(
            MongoSettings(
                uri=SecretStr(self.environment["FRAMELOOM_MONGO_URI"]),
                database=self.environment["FRAMELOOM_MONGO_DATABASE"],
            )
        )

    def _port(self, gateway: str) -> int:
        if gateway not in self._ports:
            from support.grounds import _free_port

            self._ports[gateway] = _free_port()
        return self._ports[gateway]

    def _check_alive(self) -> None:
        for name, process in self._processes.items():
            if process.returncode is not None:
                raise AssertionError(f"{name} ended with {process.returncode}:\n{self.log_of(name)[-3000:]}")


def form(media: Path, pipelines: str, config: str | None, filename: str | None) -> aiohttp.FormData:
    """The multipart form of a submission."""
    data = aiohttp.FormData()
    data.add_field("video", media.read_bytes(), filename=filename or media.name, content_type="video/mp4")
    data.add_field("selected_pipelines", pipelines)
    if config is not None:
        data.add_field("config", config)
    return data
