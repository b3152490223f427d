"""Our own pages about the viewer.

The one at ``/viewer-connect`` puts a key into the browser's storage, where the viewer looks for it. The other
stands in the viewer's place where there is none. Each stands alone: script and style are in it, allowed by
their digests, and it speaks to this server only.
"""

from __future__ import annotations

import base64
import hashlib

from aiohttp import web

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid;
  place-items: center; background: #f6f7f9; color: #1c2733; }
main { max-width: 34rem; margin: 1rem; padding: 2rem; background: #fff; border-radius: .75rem;
  box-shadow: 0 1px 4px #0002; }
h1 { font-size: 1.25rem; margin: 0 0 .5rem; }
p { margin: .5rem 0 0; overflow-wrap: anywhere; }
pre { margin: .5rem 0 0; padding: .5rem .75rem; overflow-x: auto; border-radius: .375rem;
  background: #8882; font-size: .875rem; }
a { color: inherit; }
.bad h1 { color: #a4262c; }
@media (prefers-color-scheme: dark) { body { background: #14181d; color: #dfe6ee; }
  main { background: #1e252d; } .bad h1 { color: #ff8a8f; } }
"""
_SCRIPT = """
"use strict";
const query = new URLSearchParams(location.search);
const token = new URLSearchParams(location.hash.slice(1)).get("token") || query.get("token");
// Before anything else: what opens the server must not stay in the address bar or in the history.
history.replaceState(null, "", location.pathname);

function tell(title, text, bad) {
  document.querySelector("main").className = bad ? "bad" : "";
  document.querySelector("h1").textContent = title;
  document.querySelector("p").textContent = text;
}

async function answered(path, options) {
  const answer = await fetch(path, { cache: "no-store", credentials: "omit", ...options });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const hint = body.error && body.error.hint ? " " + body.error.hint.replaceAll("`", "") : "";
    throw new Error((typeof body.detail === "string" ? body.detail : "HTTP " + answer.status) + "." + hint);
  }
  return body;
}

async function key() {
  if (token.startsWith("va_")) {
    // VideoAnnotator's links have the key itself; one that does not work is not kept.
    await answered("/api/v1/jobs?per_page=1", { headers: { Authorization: "Bearer " + token } });
    return token;
  }
  const body = JSON.stringify({ token });
  const headers = { "Content-Type": "application/json" };
  return (await answered("/api/v1/viewer/exchange", { method: "POST", headers, body })).key;
}

async function connect() {
  if (!token) {
    tell("Nothing to connect with", "This link has no token. Make a new one with: frameloom viewer", true);
    return;
  }
  try {
    const found = await key();
    localStorage.setItem("videoannotator_api_token", found);
    localStorage.setItem("videoannotator_api_url", location.origin);
  } catch (error) {
    tell("Not connected", error.message, true);
    return;
  }
  tell("Connected", "The viewer opens now.", false);
  location.replace("/viewer/");
}

connect();
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Connecting the viewer</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
<h1>Connecting the viewer</h1>
<p>One moment.</p>
<noscript><p>This page needs JavaScript, as does the viewer.</p></noscript>
</main>
<script>{script}</script>
</body>
</html>
"""


_MISSING_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>No viewer here</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main class="bad">
<h1>No viewer is installed on this server</h1>
<p>Its operator builds a copy of video-annotation-viewer, in a checkout of it:</p>
<pre>npm install &amp;&amp; npm run build -- --base=/viewer/</pre>
<p>then names the folder that this makes, and starts the gateway again:</p>
<pre>FRAMELOOM_GATEWAY_VIEWER_DIR=/path/to/dist</pre>
<p>Without the viewer, <code>frameloom watch</code> and <code>frameloom download</code> do its work in a
terminal, and <a href="/docs">the API is described here</a>.</p>
</main>
</body>
</html>
"""


def missing_page() -> web.Response:
    """What a browser is told where the operator has set up no viewer."""
    return web.Response(
        text=_MISSING_PAGE.format(style=_STYLE),
        status=404,
        content_type="text/html",
        headers={
            "Content-Security-Policy": (
                f"default-src 'none'; style-src {_digest(_STYLE)}; img-src data:; base-uri 'none'; "
                "form-action 'none'; frame-ancestors 'none'"
            ),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


def connect_page() -> web.Response:
    """The page; nothing of it depends on who asks."""
    return web.Response(
        text=_PAGE.format(style=_STYLE, script=_SCRIPT),
        content_type="text/html",
        headers={
            "Content-Security-Policy": (
                f"default-src 'none'; script-src {_digest(_SCRIPT)}; style-src {_digest(_STYLE)}; "
                "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'"
            ),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
