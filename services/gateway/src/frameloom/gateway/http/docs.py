"""The documentation pages. Their scripts and styles come from an installed package, never from outside.

The package is taken for its files alone: Swagger UI and Redoc as published. None of its code is loaded.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aiohttp import web

from frameloom.gateway.http.answers import json_response

_ASSETS = "aiohttp_swagger3"
_FOREIGN_PICTURE = "https://cdn.redoc.ly/redoc/logo-mini.svg"
"""What Redoc would show beside its own name."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; child-src blob:; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_SWAGGER_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Swagger UI</title>
<link rel="icon" href="docs/swagger/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger/swagger-ui-bundle.js"></script>
<script src="docs/swagger.js"></script>
</body>
</html>
"""
_SWAGGER_SCRIPT = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  validatorUrl: null,
});
"""
_REDOC_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - ReDoc</title>
<link rel="icon" href="docs/redoc/favicon-32x32.png">
</head>
<body>
<div id="redoc"></div>
<script src="docs/redoc/redoc.standalone.js"></script>
<script src="docs/redoc.js"></script>
</body>
</html>
"""
_REDOC_SCRIPT = """const family = "system-ui, sans-serif";
Redoc.init(
  "openapi.json",
  { theme: { typography: { fontFamily: family, headings: { fontFamily: family } } } },
  document.getElementById("redoc"),
);
"""


def add_docs(app: web.Application, document: dict[str, Any]) -> None:
    """Adds ``/openapi.json``, ``/docs`` and ``/redoc``.

    Args:
        app: What is documented.
        document: Its OpenAPI document.
    """
    title = document["info"]["title"]

    async def openapi(_: web.Request) -> web.Response:
        return json_response(document)

    app.router.add_get("/openapi.json", openapi, allow_head=False)
    _add_text(app, "/docs", _SWAGGER_PAGE.format(title=title), "text/html")
    _add_text(app, "/docs/swagger.js", _SWAGGER_SCRIPT, "text/javascript")
    _add_text(app, "/redoc", _REDOC_PAGE.format(title=title), "text/html")
    _add_text(app, "/docs/redoc.js", _REDOC_SCRIPT, "text/javascript")
    folder = _folder()
    _add_redoc(app, folder)
    app.router.add_static("/docs/swagger", folder / "swagger_ui")
    app.router.add_static("/docs/redoc", folder / "redoc_ui")


def _add_redoc(app: web.Application, folder: Path) -> None:
    """Redoc's script, its picture from elsewhere replaced by one that is here."""
    script = (folder / "redoc_ui" / "redoc.standalone.js").read_text(encoding="utf-8")
    own = script.replace(_FOREIGN_PICTURE, "docs/redoc/favicon-32x32.png").encode()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            body=own,
            content_type="text/javascript",
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"},
        )

    app.router.add_get("/docs/redoc/redoc.standalone.js", answer, allow_head=False)


def _add_text(app: web.Application, path: str, text: str, content_type: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            text=text,
            content_type=content_type,
            headers={"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"},
        )

    app.router.add_get(path, answer, allow_head=False)


def _folder() -> Path:
    spec = find_spec(_ASSETS)
    assert spec is not None, f"{_ASSETS} is a dependency of this package"
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))
