"""Media that clients name by address instead of sending them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Network = IPv4Network | IPv6Network


class UrlSettings(BaseSettings):
    """Media that clients name by address (``video_url``) instead of sending them."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_GATEWAY_URL_", frozen=True)

    ingestion: bool = False
    """Whether the gateway fetches media from addresses at all"""
    hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Only from these hosts, comma-separated; ``.example.org``: all below it. None: from any public one"""
    http_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts from which http is allowed too, and not only https"""
    networks: Annotated[tuple[Network, ...], NoDecode] = ()
    """Networks that are fetched from although they are not public, such as that of an own media server.
    Whoever may submit jobs can then ask whatever answers there"""
    ports: Annotated[tuple[int, ...], NoDecode] = ()
    """Ports beside 443 and 80"""
    redirects: int = Field(default=3, ge=0, le=3)
    """How often an address may lead to another, which is checked like the first"""
    max_seconds: float = Field(default=900.0, gt=0)
    """Longest time for one file; the request that submits the job waits for it"""
    connect_seconds: float = Field(default=10.0, gt=0)
    """How long a server may take to accept a connection"""
    idle_seconds: float = Field(default=30.0, gt=0)
    """How long it may be silent"""
    min_bytes_per_second: float = Field(default=65536.0, ge=0)
    """What is slower than this, on average after the first 10 s, is given up. 0: as slow as it likes"""

    @field_validator("hosts", "http_hosts", "networks", "ports", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (
            [item.strip().lower() for item in value.split(",") if item.strip()]
            if isinstance(value, str)
            else value
        )
