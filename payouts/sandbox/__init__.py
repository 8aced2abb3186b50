"""The sandbox: an imitation of the platforms, as one HTTP server in a process of its own.

It shares no code with the rest of the project, so that a misunderstanding of a platform cannot
hide on both sides at once. Start it with `python -m payouts.sandbox --dir DIR --port 0`; it writes
`DIR/address` once it listens and keeps what it did in `DIR/truth.jsonl`.

    http.py      connections: one request in, one reply out, down to resets and dripping bodies
    app.py       routes, the control paths, and the course that a request takes through them
    orkesta.py   the platform mounted at /orkesta/v1; orkesta_rules.py: what it accepts
    orkestra.py  the platform mounted at /orkestra; orkestra_rules.py: what it accepts
    platforms.py what every platform has in common, and how one is plugged in
    orchestra.py    the platform mounted at /orchestra; orchestra_rules.py: what it accepts;
                    orchestra_vault.py: its StringTokens
    orchestrate.py  the platform mounted at /orchestrate; orchestrate_rules.py: what it accepts;
                    orchestrate_page.py: what is behind a payment link
    ids.py       ids that lead to their line in the books
    settings.py  what can be switched
    webhooks.py  what is told of one's own accord; channels.py: how it is proven; post.py: how it is
                 sent; deliveries.py: what became of it; orkesta_events.py: what Orkesta tells
    returns.py   money that comes back after it was paid
    books.py     the truth log: what really happened, on disk before the answer
    life.py      how a payment grows from pending to settled, computed from the time
    magic.py     accounts that misbehave on purpose
    recipes.py   the table of faults, down to the end of a connection
    faults.py    the scripts and storms that say when which of them strikes
"""
