"""What the gateway's tests share: the application over ports in memory (``gateway_kit``)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for gateway_kit
