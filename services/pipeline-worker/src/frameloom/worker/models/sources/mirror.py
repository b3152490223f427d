"""Mirrors: where an operator keeps model files for machines that reach no package index.

A mirror is a folder, an ``s3://bucket/prefix``, or an ``https://`` address. It has the same layout as the
cache: ``<name>/<first twelve digits of the sha256>/<file name>``.
"""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlsplit

import structlog

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models.sources.checks import checked
from frameloom.worker.models.spec import ModelSpec, ModelUnavailableError

logger = structlog.get_logger(__name__)
_TIMEOUT_SECONDS = 60.0
_ABSENT = {"NoSuchKey", "NoSuchObject", "NoSuchBucket"}


def from_mirrors(spec: ModelSpec, mirrors: tuple[str, ...], scratch: Path) -> Path | None:
    """The checked file from the first mirror that has it; None when none has.

    Raises:
        ModelUnavailableError: A mirror has another file in its place.
    """
    target = scratch / spec.sha256
    for mirror in mirrors:
        if _copied(spec, mirror, target):
            return checked(spec, target, mirror)
    return None


def check_mirror(mirror: str) -> str:
    """The same mirror, if it is of a kind that is known.

    Raises:
        ValueError: It is not.
    """
    scheme = urlsplit(mirror).scheme
    if scheme in {"s3", "https"} or Path(mirror).is_absolute():
        return mirror
    raise ValueError(f"{mirror!r} is no mirror: name an absolute folder, s3://bucket/prefix or https://…")


def _copied(spec: ModelSpec, mirror: str, target: Path) -> bool:
    scheme = urlsplit(mirror).scheme
    if scheme == "s3":
        return _from_s3(spec, mirror, target)
    if scheme == "https":
        return _from_https(spec, mirror, target)
    source = Path(mirror) / spec.place
    if not source.is_file():
        return False
    shutil.copyfile(source, target)
    return True


def _from_https(spec: ModelSpec, mirror: str, target: Path) -> bool:
    address = f"{mirror.rstrip('/')}/{quote(spec.place)}"
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_SECONDS) as answer, target.open("wb") as out:  # noqa: S310 - https only, see check_mirror
            shutil.copyfileobj(answer, out, 1024 * 1024)
    except urllib.error.HTTPError as error:
        if error.code in {403, 404, 410}:
            return False
        raise _away(spec, mirror) from error
    except OSError as error:
        raise _away(spec, mirror) from error
    return True


def _from_s3(spec: ModelSpec, mirror: str, target: Path) -> bool:
    from minio import Minio  # noqa: PLC0415 - only for this kind of mirror
    from minio.error import MinioException, S3Error  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    from frameloom.common.settings import S3Settings, load  # noqa: PLC0415

    settings, place = load(S3Settings), urlsplit(mirror)
    client = Minio(
        endpoint=settings.endpoint,
        access_key=settings.access_key,
        secret_key=settings.secret_key.get_secret_value(),
        region=settings.region,
        secure=settings.secure,
    )
    key = f"{place.path.strip('/')}/{spec.place}".lstrip("/")
    try:
        client.fget_object(place.netloc, key, str(target))
    except S3Error as error:
        if error.code in _ABSENT:
            return False
        raise _away(spec, mirror) from error
    except (HTTPError, MinioException, OSError) as error:
        raise _away(spec, mirror) from error
    return True


def _away(spec: ModelSpec, mirror: str) -> ModelUnavailableError:
    logger.warning("model_mirror_away", mirror=mirror, model=spec.name)
    return ModelUnavailableError(
        FailureCategory.PROVIDER_TRANSIENT, f"The mirror {mirror} does not give the model {spec.name} now."
    )
