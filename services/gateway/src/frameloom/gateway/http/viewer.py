"""The viewer at ``/viewer``: a built copy of video-annotation-viewer, served from the operator's folder.

It is an application of one page, so whatever is no file of it is answered with its page. It may speak to this
server only: a policy forbids its page every other one.
"""

from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser
from pathlib import Path

from aiohttp import hdrs, web

from frameloom.common.errors import ConfigurationError
from frameloom.common.text import cut
from frameloom.gateway.errors import NoViewerError, ViewerNotFoundError
from frameloom.gateway.http.viewer_page import connect_page, missing_page

_BASE = "/viewer/"
_PAGE = "index.html"
_BUILD_IT = "Build it with `npm run build -- --base=/viewer/` and name the folder `dist` that this makes."
_TYPES = {
    ".css": "text/css",
    ".gif": "image/gif",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
"""Those of a built page. The system's own table differs from host to host, so it is not asked."""
_TEXTS = ("text/", "application/json", "application/manifest+json")
_PARTS = frozenset({".css", ".js", ".map", ".mjs", ".wasm", ".woff", ".woff2"})
"""Never answered with the page: a browser that asks for a script of an older build must learn it has gone."""
_HASHED = re.compile(r"/assets/[^/]+-[A-Za-z0-9_-]{8}\.\w+$")
"""A name that changes with the content, as the build makes them in this folder."""
_LOCALHOST = re.compile(r"localhost(:\d{1,5})?", re.IGNORECASE)
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: its own files, and what it makes itself (videos out of a ZIP)."""


class ViewerCopy:
    """A folder with a built viewer.

    Args:
        folder: The operator's folder.

    Raises:
        ConfigurationError: There is no viewer in it, or it was built for another place than ``/viewer/``.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._root = folder.expanduser().resolve(strict=True)
            page = (self._root / _PAGE).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigurationError(
                f"FRAMELOOM_GATEWAY_VIEWER_DIR={folder} holds no viewer: {_PAGE}: {reason}", hint=_BUILD_IT
            ) from error
        strange = [link for link in _links(page) if not _is_below(link)]
        if strange:
            raise ConfigurationError(
                f"The viewer in {folder} was built for another place than {_BASE}: "
                f"its page asks for {strange[0]}",
                hint=_BUILD_IT,
            )

    def file(self, path: str) -> Path:
        """The file of a path below ``/viewer/``; the page for a path that the viewer itself knows.

        Raises:
            ViewerNotFoundError: It would be a part of the viewer, and there is none such.
        """
        found = self._inside(path)
        if found is not None:
            return found
        if Path(path).suffix.lower() in _PARTS:
            raise ViewerNotFoundError(
                f"The viewer here has no {cut(path)}", hint="Load the page again: the viewer has changed."
            )
        return self._root / _PAGE

    def _inside(self, path: str) -> Path | None:
        try:
            wanted = (self._root / path).resolve()
            return wanted if wanted.is_relative_to(self._root) and wanted.is_file() else None
        except (OSError, ValueError):
            return None  # a name that no file system takes


def add_viewer(app: web.Application, copy: ViewerCopy | None) -> None:
    """Adds ``/viewer``, everything below it, and the page that connects a browser.

    Args:
        app: What is served.
        copy: The operator's copy; None: there is none, and the paths say how to have one, to browsers as a
            page.
    """

    async def serve(request: web.Request) -> web.StreamResponse:
        path = request.match_info.get("path")
        if copy is None:
            return _missing(request)
        if path is None:
            # The viewer finds its own pages only below the slash.
            return _sent_to(str(request.rel_url.with_path(_BASE, keep_query=True)))
        file = await asyncio.to_thread(copy.file, path)
        headers = _headers(file)
        if "Content-Security-Policy" in headers and (same := _numbered(request)) is not None:
            return _sent_to(same)
        return web.FileResponse(file, headers=headers)

    async def connect(request: web.Request) -> web.StreamResponse:
        if copy is None:
            return _missing(request)
        same = _numbered(request)
        return connect_page() if same is None else _sent_to(same)

    app.router.add_get("/viewer", serve)
    app.router.add_get(_BASE + "{path:.*}", serve)
    app.router.add_get("/viewer-connect", connect)


def _missing(request: web.Request) -> web.Response:
    """Says that there is no viewer: to a browser with a page, to programs as every error."""
    if "text/html" in request.headers.get(hdrs.ACCEPT, ""):
        return missing_page()
    raise NoViewerError


def _sent_to(url: str) -> web.Response:
    return web.Response(status=307, headers={hdrs.LOCATION: url, "Referrer-Policy": "no-referrer"})


def _numbered(request: web.Request) -> str | None:
    """The same page at 127.0.0.1, if it was asked for at ``localhost``.

    The viewer asks 127.0.0.1 where its server is called ``localhost``. To a browser that is another server,
    with another storage, so the page itself must come from there.
    """
    match = _LOCALHOST.fullmatch(request.host)
    if match is None or request.scheme != "http":
        return None
    return f"http://127.0.0.1{match[1] or ''}{request.rel_url}"


def _headers(file: Path) -> dict[str, str]:
    kind = _TYPES.get(file.suffix.lower(), "application/octet-stream")
    charset = "; charset=utf-8" if kind.startswith(_TEXTS) else ""
    lasting = "public, max-age=31536000, immutable"
    headers = {
        hdrs.CONTENT_TYPE: kind + charset,
        hdrs.CACHE_CONTROL: lasting if _HASHED.search(file.as_posix()) else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if kind == "text/html":
        headers |= {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return headers


class _Links(HTMLParser):
    """Collects what a page loads from absolute paths and from other hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = {"script": "src", "link": "href"}.get(tag)
        self.found += [value for key, value in attrs if key == name and value]


def _links(page: str) -> list[str]:
    parser = _Links()
    parser.feed(page)
    return parser.found


def _is_below(link: str) -> bool:
    """Whether the page finds it below its place: relative paths do, and data in the link itself."""
    return link.startswith((_BASE, "data:", "./")) or not link.startswith(("/", "http:", "https:"))
