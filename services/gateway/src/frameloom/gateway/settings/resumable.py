"""Uploads that come over several requests, or straight into the object store."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_MIB = 1024**2


class ResumableSettings(BaseSettings):
    """Uploads that come over several requests (tus), or straight into the object store."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_RESUMABLE_", frozen=True)

    expire_seconds: float = Field(default=20 * 3600.0, ge=60)
    """How long after its beginning an upload is removed, whatever has become of it. MinIO by itself forgets
    unfinished uploads after 24 h"""
    part_bytes: int = Field(default=8 * _MIB, ge=5 * _MIB, le=1024 * _MIB)
    """Size of the parts in which bytes are handed to the object store, each held in memory before. What a
    killed gateway had received of an unfinished part is sent again by the client"""
    lease_seconds: float = Field(default=20.0, gt=0)
    """How long a request that gets no more bytes keeps others from going on with its upload"""
    max_open: int = Field(default=100, ge=1)
    """Unfinished uploads of one key"""
    sweep_every_seconds: float = Field(default=30.0, gt=0)
    """How often a gateway looks for uploads that another one has left behind, and for expired ones"""
    direct_seconds: int = Field(default=3600, ge=60, le=3600)
    """How long an address works that a client may write to"""
    direct_part_bytes: int = Field(default=64 * _MIB, ge=5 * _MIB, le=1024 * _MIB)
    """Files that are larger come straight into the object store in parts of this size"""
