"""Uploads that nobody should send, made by code: nothing of them lies in the repository.

``FILES`` are media files that are none, or that are more than they seem; ``REQUESTS`` are requests that are
wrong as such. Each says what it must be answered with. Those that are harmless say so, and must be accepted.
"""

from support.hostile.base import Case
from support.hostile.files import FILES
from support.hostile.requests import REQUESTS, RequestCase

__all__ = ["FILES", "REQUESTS", "Case", "RequestCase"]
