"""The sandbox: an imitation of the platforms, as one HTTP server in a process of its own.

It shares no code with the rest of the project, so that a misunderstanding of a platform cannot
hide on both sides at once. Start it with `python -m payouts.sandbox --dir DIR --port 0`; it writes
`DIR/address` once it listens and keeps what it did in `DIR/truth.jsonl`.

    http.py           connections: one request in, one reply out, down to resets and drips
    app.py            routes, the control paths, and the course that a request takes
    control.py        how whoever runs it looks into it and steers it
    platforms.py      what every platform has in common, and how one is plugged in
    orkesta.py        the platform at /orkesta/v1; _rules: what it accepts, _events: what it tells
    orkestra.py       the platform at /orkestra; _payouts, _orders, _refunds: its resources; _rules
                      and _order_rules: what it accepts; _common: what those share
    orchestra.py      the platform at /orchestra; _rules: what it accepts, _vault: its StringTokens
    orchestrate.py    the platform at /orchestrate; _rules: what it accepts, _page: what is behind
                      a payment link
    webhooks.py       what is told of one's own accord; channels.py: how its origin is proven,
                      post.py: how it is sent, deliveries.py: what became of it
    returns.py        money that comes back after it was paid
    statement.py      what the payer's bank shows of it, and how that can be wrong
    ids.py            ids that lead to their line in the books
    settings.py       what can be switched
    books.py          the truth log: what really happened, on disk before the answer
    life.py           how a payment grows from pending to settled, computed from the time
    magic.py          accounts that misbehave on purpose
    course.py         what will be done with a request, which recipes edit
    recipes.py        the table of faults, down to the end of a connection
    webhook_recipes.py   and of those of webhooks
    faults.py         the scripts that say when which of them strikes
    storms.py         mixtures drawn from a number, and the matrix of all faults
"""
