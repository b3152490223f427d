"""How much one key may use."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Network = IPv4Network | IPv6Network


class LimitSettings(BaseSettings):
    """How much one key may use; 0 is no limit. A key can have limits of its own."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_LIMIT_", frozen=True)

    requests_per_second: float = Field(default=200.0, ge=0, allow_inf_nan=False)
    """Requests of one key, in the long run, at each gateway; more are refused with 429. What needs no key is
    not counted"""
    burst: int = Field(default=2000, ge=1)
    """Requests of one key that may come at once"""
    wrong_keys_per_minute: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    """Wrong keys from one address (of IPv6: from one /64), in the long run, at each gateway; then keys that
    this gateway has not seen before are not even looked up for that address"""
    concurrent_jobs: int = Field(default=0, ge=0)
    """Jobs of one key that are pending or running; more are refused with 429"""
    stored_bytes: int = Field(default=0, ge=0)
    """Bytes of media of one key's jobs; an upload that would go beyond is refused with 429. Room comes back
    when jobs are deleted"""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    """Addresses or networks of proxies, comma-separated, whose ``X-Forwarded-For`` is believed: for the limit
    of wrong keys and for the audit lines. Every hop between client and gateway must be listed"""

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (
            [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
        )
