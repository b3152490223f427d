"""Where media, and the chunks of annotations, lie in the bucket. Pure.

An upload lies in quarantine until it has been examined; then a copy of it appears among the media, and what
was in quarantine goes. Workers and downloads know only the media.
"""

from __future__ import annotations

QUARANTINE = "quarantine/"
"""Prefix of everything that nobody has examined yet. What stays here is left over."""
MEDIA = "media/"
"""Prefix of what has been examined."""
CHUNKS = "chunks/"
"""Prefix of what pipelines have found so far: the results service writes, and who stitches segments reads."""
UPLOADS = "uploads/"
"""Prefix of what comes over several requests, or straight from clients. A document knows of each."""


def quarantined(job_id: str) -> str:
    """Key of an upload that becomes the media of this job if it passes."""
    return f"{quarantine_of(job_id)}source"


def quarantine_of(job_id: str) -> str:
    """Prefix of everything in quarantine for this job: parts of an upload too, if it comes in parts."""
    return f"{QUARANTINE}{job_id}/"


def media(job_id: str) -> str:
    """Key of a job's media."""
    return f"{MEDIA}{job_id}/source"


def chunks_of_job(job_id: str) -> str:
    """Prefix of all chunks of a job."""
    return f"{CHUNKS}{job_id}/"


def chunks_of_epoch(job_id: str, task_id: str, epoch: int) -> str:
    """Prefix of the chunks of one epoch of a task."""
    return f"{chunks_of_job(job_id)}{task_id}/{epoch:06d}/"


def chunk(job_id: str, task_id: str, epoch: int, seq: int) -> str:
    """Key of one chunk. The same chunk delivered twice has the same key."""
    return f"{chunks_of_epoch(job_id, task_id, epoch)}{seq:08d}.jsonl.gz"


def upload_of(upload_id: str) -> str:
    """Prefix of everything that lies in the bucket for an upload that comes in parts."""
    return f"{UPLOADS}{upload_id}/"


def uploaded(upload_id: str) -> str:
    """Key of such an upload as a whole."""
    return f"{upload_of(upload_id)}source"


def piece(upload_id: str, name: str) -> str:
    """Key of a piece of it that is too small to be a part."""
    return f"{upload_of(upload_id)}pieces/{name}"
