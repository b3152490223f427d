"""All files."""

from __future__ import annotations

from support.hostile.base import Case
from support.hostile.containers import CONTAINERS
from support.hostile.movies import MOVIES
from support.hostile.strangers import STRANGERS

FILES: tuple[Case, ...] = (*STRANGERS, *MOVIES, *CONTAINERS)
