"""Results drawn onto their video: boxes, faces, captions and a timeline, as a film or a contact sheet.

Needs the extra ``render`` (PyAV, Pillow, ijson); nothing here is imported before it is used. Result files are
read as they are, whoever wrote them: no service and no server is asked.
"""

from __future__ import annotations

import importlib.util

from frameloom.client.errors import MissingCapabilityError

_MODULES = {"av": "av", "PIL": "pillow", "ijson": "ijson", "numpy": "numpy"}


def require() -> None:
    """Makes sure that everything is there.

    Raises:
        MissingCapabilityError: The extra is not installed.
    """
    missing = [name for module, name in _MODULES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingCapabilityError(
            f"Drawing results needs what is not installed here: {', '.join(missing)}",
            hint="Install it with: pip install 'frameloom-client[render]'",
        )
