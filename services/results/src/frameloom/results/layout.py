"""The keys in the bucket. Pure.

Everything of an epoch lies under a prefix of its own, so a stale worker can never overwrite what a later
one wrote, and what lost the race is found by its prefix.
"""

from __future__ import annotations

from frameloom.common.layout import chunk, chunks_of_epoch, chunks_of_job

__all__ = [
    "PREFIXES",
    "chunk",
    "chunks_of_epoch",
    "chunks_of_job",
    "manifest",
    "media_of_job",
    "of_job",
    "results_of_epoch",
    "results_of_job",
]

PREFIXES = ("media/", "chunks/", "results/")
"""Of everything that belongs to a job; its id comes next."""


def media_of_job(job_id: str) -> str:
    """Prefix of the media of a job."""
    return f"media/{job_id}/"


def results_of_job(job_id: str) -> str:
    """Prefix of all results of a job, visible or not."""
    return f"results/{job_id}/"


def results_of_epoch(job_id: str, pipeline: str, epoch: int) -> str:
    """Prefix of the files of one epoch."""
    return f"{results_of_job(job_id)}{pipeline}/{epoch:06d}/"


def of_job(job_id: str) -> tuple[str, ...]:
    """The prefixes of everything that belongs to a job."""
    return media_of_job(job_id), chunks_of_job(job_id), results_of_job(job_id)


def manifest(job_id: str, pipeline: str, epoch: int) -> str:
    """Key of an epoch's manifest."""
    return f"{results_of_epoch(job_id, pipeline, epoch)}manifest.json"
