"""The page behind an Orchestrate `payment_link`: where whoever funds a batch would pay.

Static and small: what is to be paid, and three buttons. It takes no card and moves no money.
"""

from __future__ import annotations

from html import escape
from typing import Final

from payouts.sandbox.http import Reply

__all__ = ["OUTCOMES", "page", "sent_on"]

OUTCOMES: Final = ("pay", "fail", "cancel")

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sandbox payment</title>
<meta name="viewport" content="width=device-width"></head>
<body><h1>Sandbox payment</h1>
<p>{description}</p><p><strong>{amount}</strong>, status {status}.</p>
{form}
<p>This is an imitation: no money moves.</p></body></html>
"""
_FORM: Final = (
    '<form method="post">'
    + "".join(f'<button name="outcome" value="{name}">{name}</button> ' for name in OUTCOMES)
    + "</form>"
)


def page(*, description: str, amount: str, status: str) -> Reply:
    """Give the page of a payment; only a pending one has buttons."""
    html = _PAGE.format(
        description=escape(description),
        amount=escape(amount),
        status=escape(status),
        form=_FORM if status == "pending" else "",
    )
    return Reply(200, raw=html.encode(), media_type="text/html; charset=utf-8")


def sent_on(url: str | None, *, description: str, amount: str, status: str) -> Reply:
    """Send the browser to the merchant's own page, or show ours where none was given."""
    if url is None:
        return page(description=description, amount=amount, status=status)
    return Reply(303, raw=b"", headers=(("location", url),), media_type="text/plain")
