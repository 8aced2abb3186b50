"""The pages where a payment page sends the browser back: there, static, and no receipt."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from payouts.web.landing import add_landings


def got(path: str, method: str = "GET") -> httpx.Response:
    """One request to an application of these pages alone."""
    app = Starlette()
    add_landings(app.router)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


@pytest.mark.parametrize("word", ["success", "cancel"])
def test_a_page_says_that_it_is_no_receipt(word: str) -> None:
    page = got(f"/paid/{word}?id=1&status=completed")

    assert page.status_code == 200
    assert "<strong>This page is not a receipt</strong>" in page.text
    assert "completed" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page.text


@pytest.mark.parametrize("path", ["/paid/other", "/paid/", "/paid/..%2fcoverage.csv"])
def test_there_is_no_other_page(path: str) -> None:
    assert got(path).status_code == 404


def test_nothing_is_taken_there() -> None:
    assert got("/paid/success", "POST").status_code == 405
