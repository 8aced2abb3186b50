"""Storms: mixtures of faults drawn from a number, and the matrix of all faults there are.

A storm is bounded, so that everything can end right afterwards: each of its rules strikes a few
times and then never again, and it holds nothing that

* takes the whole deadline of a client (`hang_…`, `effect_then_hang`), or minutes (`drip`s are ten
  milliseconds apart);
* a client has to stop for until a person comes (401, 403, 404 or 501 of a route, 402, redirects,
  other amounts);
* no client can survive (a key forgotten within its life, an end that is never told).

`MATRIX` names the recipes for each fault of the design's list; a test holds it against the recipes.
"""

from __future__ import annotations

import random
from typing import Any, Final

from payouts.sandbox.faults import Rule

__all__ = ["MATRIX", "storm"]

_ONES: Final = "*7"  # about one reference in thirty
_PAY: Final = "GET */pay*"

# fault, route, and the options that are drawn from
_CALLS: Final[tuple[tuple[str, str, tuple[dict[str, Any], ...]], ...]] = (
    ("refuse_connections", "*", ({"seconds": 0.2},)),
    ("accept_then_close", "*", ({},)),
    ("reset_on_accept", "*", ({},)),
    ("reset_before_reading", "*", ({},)),
    ("reset_after_reading", "*", ({},)),
    ("effect_then_reset", "*", ({},)),
    ("effect_then_close", "*", ({},)),
    ("stale_keep_alive", "*", ({},)),
    ("latency", "*", ({"seconds": 0.1, "jitter_s": 0.3},)),
    ("late_reply", "*", ({"seconds": 0.5},)),
    ("slow_head", "*", ({"seconds": 0.01},)),
    ("drip", "*", ({"seconds": 0.01},)),
    ("server_error", "*", ({},)),
    ("bad_gateway", "*", ({},)),
    ("gateway_timeout", "*", ({},)),
    ("request_timeout", "*", ({},)),
    ("in_progress", "POST *", ({},)),
    ("locked", "*", ({},)),
    ("too_early", "*", ({},)),
    (
        "unavailable",
        "*",
        tuple({"retry_after": kind} for kind in ("seconds", "date", "garbage", "none")),
    ),
    (
        "too_many_requests",
        "*",
        tuple({"retry_after": kind} for kind in ("seconds", "date", "garbage", "none")),
    ),
    ("error_after_effect", "*", tuple({"status": status} for status in (500, 502, 503, 504))),
    ("timeout_then_effect", "*", ({"seconds": 0.2}, {"status": 502, "code": "bad_gateway"})),
    ("html", "*", ({},)),
    ("malformed", "*", ({},)),
    ("empty_body", "*", ({},)),
    ("repeated_keys", "*", ({},)),
    ("nan", "*", ({},)),
    ("cut", "*", ({}, {"share": 0.9})),
    ("cut_clean", "*", ({}, {"share": 0.9})),
    ("shuffled", "*", ({},)),
    ("missing_items", "*", ({}, {"count": 3})),
    ("repeated_items", "*", ({}, {"status": "failed"})),
    ("unknown_status", "*", ({},)),
    ("accepted", "POST *", ({},)),
)
_LATER: Final[tuple[tuple[str, str, tuple[dict[str, Any], ...]], ...]] = (
    ("not_found", _PAY, ({},)),
    ("lagging", _PAY, ({"seconds": 0.5}, {"seconds": 2.0})),
    ("stale_status", "GET /orkesta/*", ({},)),
    ("accepted_then", "POST */pay*", ({"then": "lookup"},)),
    ("refused_items", "POST */pay*", ({"references": _ONES},)),
    ("fails_later", "POST */pay*", ({"references": _ONES},)),
    (
        "returned",
        "POST */pay*",
        tuple({"references": _ONES, "seconds": 0.2, "share": share} for share in (1.0, 0.4)),
    ),
    ("webhook_before_reply", "POST *", ({"seconds": 0.5},)),
)
_WEBHOOKS: Final[tuple[tuple[str, str, tuple[dict[str, Any], ...]], ...]] = (
    ("webhook_lost", "*", ({},)),
    ("webhook_late", "*", ({"seconds": 0.5}, {"seconds": 2.0})),
    ("webhook_out_of_order", "*", ({},)),
    ("webhook_burst", "*", ({"seconds": 0.5},)),
    ("webhook_duplicated", "*", ({}, {"copies": 5})),
    ("webhook_replayed", "*", ({"seconds": 1.0}, {"seconds": 3.0, "copies": 2})),
    ("webhook_forged", "*", ({},)),
    ("webhook_wrong_secret", "*", ({},)),
    ("webhook_unsigned", "*", ({},)),
    ("webhook_altered", "*", ({},)),
    ("webhook_contradictory", "*", ({}, {"seconds": 0.5})),
    ("webhook_unknown_item", "*", ({},)),
    ("webhook_malformed", "*", ({},)),
)


def storm(seed: int) -> list[Rule]:
    """Draw a storm: eight faults of calls, two of what comes later, four of webhooks.

    Each is rare and ends after a few strikes. Those of webhooks wait for webhooks to be sent.
    """
    dice = random.Random(seed)  # noqa: S311  the same seed has to give the same storm
    chosen = [*dice.sample(_CALLS, 8), *dice.sample(_LATER, 2), *dice.sample(_WEBHOOKS, 4)]
    return [
        Rule(
            fault,
            route=route,
            options=dice.choice(options),
            probability=dice.uniform(0.02, 0.15),
            times=dice.randint(1, 6),
        )
        for fault, route, options in chosen
    ]


MATRIX: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("refused connection", ("refuse_connections",)),
    ("accept then close", ("accept_then_close", "reset_on_accept")),
    ("reset before reading", ("reset_before_reading",)),
    ("reset after reading, no effect", ("reset_after_reading",)),
    ("effect, then reset", ("effect_then_reset", "effect_then_close")),
    ("effect, hang past the deadline", ("effect_then_hang",)),
    ("no effect, hang", ("hang_without_effect",)),
    ("slow headers", ("slow_head",)),
    ("dripping body", ("drip",)),
    ("stale keep-alive", ("stale_keep_alive",)),
    ("latency and jitter", ("latency", "late_reply")),
    ("500 before effect", ("server_error", "status")),
    ("500 after effect", ("error_after_effect",)),
    (
        "502/504 while the effect completes",
        ("timeout_then_effect", "bad_gateway", "gateway_timeout"),
    ),
    ("503 with Retry-After", ("unavailable",)),
    ("429 with seconds, date, garbage, none", ("too_many_requests",)),
    ("400 for the whole batch because of one poison item", ("poison",)),
    ("401 for a while", ("unauthorized", "forbidden")),
    ("402 in the middle", ("no_funds",)),
    ("408, 423, 425, 501", ("request_timeout", "locked", "too_early", "not_implemented")),
    ("409 in progress", ("in_progress",)),
    ("409 duplicate", ("duplicate",)),
    ("redirect to another host", ("redirect",)),
    ("200 with HTML", ("html",)),
    ("malformed JSON", ("malformed", "empty_body", "repeated_keys", "nan")),
    ("cut body", ("cut", "cut_clean")),
    ("shuffled item order", ("shuffled",)),
    ("missing items", ("missing_items",)),
    ("duplicated items", ("repeated_items", "foreign_item")),
    ("unknown status word", ("unknown_status",)),
    (
        "echo of another amount",
        ("other_amount", "major_units", "other_currency", "other_reference"),
    ),
    ("202 and then only look-up / only webhook / never", ("accepted_then", "accepted")),
    ("2xx without a body", ("no_content",)),
    ('batch "success" with failed items', ("refused_items", "fails_later")),
    ("look-up lagging", ("lagging",)),
    ("look-up false not-found", ("not_found",)),
    ("look-up stale", ("stale_status",)),
    ("key forgotten after its life", ("forgotten_key",)),  # and the setting key_life_s
    ("webhooks duplicated", ("webhook_duplicated",)),
    ("webhooks out of order", ("webhook_out_of_order",)),
    ("webhooks replayed", ("webhook_replayed",)),
    ("webhooks forged", ("webhook_forged", "webhook_wrong_secret", "webhook_unsigned")),
    ("webhooks altered", ("webhook_altered", "webhook_other_amount", "webhook_malformed")),
    ("webhooks late", ("webhook_late",)),
    ("webhooks lost", ("webhook_lost",)),
    ("webhooks before the reply", ("webhook_before_reply",)),
    ("webhooks contradictory", ("webhook_contradictory",)),
    ("webhooks for unknown items", ("webhook_unknown_item",)),
    ("webhooks in bursts", ("webhook_burst",)),
    ("return after settlement, partial return", ("returned",)),  # and POST /_control/return
    ("statement line missing", ("statement_missing",)),
    ("statement line twice", ("statement_twice",)),
    ("statement line netted", ("statement_netted",)),
    ("refund with lost reply", ("effect_then_reset",)),  # with the route POST /orkestra/refunds
)
