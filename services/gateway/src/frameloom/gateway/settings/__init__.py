"""The gateway's settings: one class a subject, read from the environment, and all of them together.

Those of its dependencies are in ``frameloom.common.settings``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Self

from pydantic_settings import BaseSettings

from frameloom.common.settings import load
from frameloom.gateway.settings.auth import AuthSettings
from frameloom.gateway.settings.diagnostics import DiagnosticsSettings
from frameloom.gateway.settings.files import FileSettings
from frameloom.gateway.settings.gateway import GatewaySettings
from frameloom.gateway.settings.limits import LimitSettings
from frameloom.gateway.settings.resumable import ResumableSettings
from frameloom.gateway.settings.uploads import UploadSettings
from frameloom.gateway.settings.url import UrlSettings
from frameloom.gateway.settings.viewer import ViewerSettings

__all__ = [
    "AuthSettings",
    "DiagnosticsSettings",
    "FileSettings",
    "GatewaySettings",
    "LimitSettings",
    "ResumableSettings",
    "Settings",
    "UploadSettings",
    "UrlSettings",
    "ViewerSettings",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the gateway itself can be told."""

    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    viewer: ViewerSettings = field(default_factory=ViewerSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    files: FileSettings = field(default_factory=FileSettings)
    uploads: UploadSettings = field(default_factory=UploadSettings)
    diagnostics: DiagnosticsSettings = field(default_factory=DiagnosticsSettings)
    resumable: ResumableSettings = field(default_factory=ResumableSettings)
    url: UrlSettings = field(default_factory=UrlSettings)

    @classmethod
    def loaded(cls) -> Self:
        """The settings of the environment.

        Raises:
            ConfigurationError: A variable is wrong; the message names it.
        """
        return cls(
            gateway=load(GatewaySettings),
            viewer=load(ViewerSettings),
            auth=load(AuthSettings),
            limits=load(LimitSettings),
            files=load(FileSettings),
            uploads=load(UploadSettings),
            diagnostics=load(DiagnosticsSettings),
            resumable=load(ResumableSettings),
            url=load(UrlSettings),
        )

    def by_subject(self) -> dict[str, BaseSettings]:
        """Each class by its subject."""
        return {one.name: getattr(self, one.name) for one in fields(self)}
