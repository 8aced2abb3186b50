"""The pages where Orchestrate sends a browser back: static, and no receipt.

Whether something was paid is known from the platform alone; these pages read and write nothing.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Router

__all__ = ["ROUTE", "add_landings"]

ROUTE: Final = "/paid/{word}"

_WORDS: Final = ("success", "cancel")
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def add_landings(router: Router) -> None:
    """Serve the pages below `/paid/`."""
    folder = files("payouts") / "data" / "landing"
    pages = {word: (folder / f"{word}.html").read_text("utf-8") for word in _WORDS}

    async def landing(request: Request) -> Response:
        page = pages.get(request.path_params["word"])
        if page is None:
            return HTMLResponse("not found\n", 404, _HEADERS)
        return HTMLResponse(page, headers=_HEADERS)

    router.add_route(ROUTE, landing, methods=["GET"], include_in_schema=False)
