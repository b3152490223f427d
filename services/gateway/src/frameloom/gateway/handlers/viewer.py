"""Connecting a browser to the viewer."""

from __future__ import annotations

from frameloom.gateway.http.typed import FromBody
from frameloom.gateway.schemas.viewer import ViewerExchangeRequest, ViewerKeyResponse, ViewerLinkResponse
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.viewer import ViewerService


class ViewerHandlers:
    """Links and the keys for them."""

    def __init__(self, viewer: ViewerService) -> None:
        self._viewer = viewer

    async def connect(self, caller: Caller) -> ViewerLinkResponse:
        """Make a link that connects one browser to the viewer at `/viewer`, once and within minutes.

        The browser gets a key of its own, for reading and submitting jobs and reading results, as far as the
        asking key may; it works for some days, and ends when the asking key is revoked.
        """
        link = self._viewer.link(caller)
        return ViewerLinkResponse(url=link.path, expires_at=link.expires_at)

    async def exchange(self, body: FromBody[ViewerExchangeRequest]) -> ViewerKeyResponse:
        """Exchange the token of such a link for a key. The page at `/viewer-connect` does this."""
        lent = await self._viewer.exchange(body.token)
        assert lent.text is not None
        return ViewerKeyResponse(
            key=lent.text, key_id=lent.key.id, scopes=list(lent.key.scopes), expires_at=lent.key.expires_at
        )
