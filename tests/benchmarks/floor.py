"""The floor of the whole flow: what nobody can do without, in series, checking nothing.

Polars batch scan, COPY of the items with only their key, two raw HTTP exchanges of every batch with
a server that reads and answers without looking, COPY of two narrow ledger rows per item.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import polars as pl

from tests.benchmarks.data import BATCH, good_lines
from tests.benchmarks.places import connected, seen
from tests.benchmarks.storing import _KEYS, batches, copy_keys
from tests.benchmarks.ways import Clock, Facts, Place, require, way

if TYPE_CHECKING:
    from typing import Any

    from psycopg import Connection

__all__: list[str] = []

_LEDGER: Final = (
    "CREATE TABLE ledger (item_id bigint, account_id bigint, amount_minor bigint NOT NULL,"
    " PRIMARY KEY (item_id, account_id))"
)


async def _serve() -> None:
    """Answer each request with a body of half its size, once it is read."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  the port
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            half = body[: length // 2]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(half) + half)
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def _exchanges(bodies: list[bytes], port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    answered = 0
    for body in bodies:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        for _ in range(2):
            writer.write(head + body)
            reply = await reader.readuntil(b"\r\n\r\n")
            length = int(reply.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            answered += len(await reader.readexactly(length)) > 0
    writer.close()
    return answered


def _bodies(frames: list[pl.DataFrame]) -> list[bytes]:
    """One body per batch, of the size that ours have: made before the clock starts."""
    texts = pl.concat(frames).select(
        pl.format(
            '{{"amount":{},"currency":"TRY","method":"bank_transfer","from_account":"acc_01hx3k9q",'
            '"to_account":"{}","description":"{} {}","reference":"P{}"}}',
            pl.col("amount").str.replace(".", "", literal=True),
            "account",
            "reference",
            "description",
            pl.col("reference").str.pad_end(31, "7"),
        )
    )
    rows = texts.to_series().to_list()
    return [
        f"[{','.join(rows[start : start + BATCH])}]".encode()
        for start in range(0, len(rows), BATCH)
    ]


def _book(connection: Connection[Any], frame: pl.DataFrame, first: int) -> None:
    amount = pl.col("amount").str.replace(".", "", literal=True)
    legs = frame.select(
        (pl.int_range(2 * pl.len(), dtype=pl.Int64) // 2 + first).alias("id"),
        (pl.int_range(2 * pl.len(), dtype=pl.Int64) % 2).alias("account"),
        amount.repeat_by(2).explode(),
    )
    with connection.cursor().copy("COPY ledger FROM STDIN (FORMAT csv)") as out:
        out.write(legs.write_csv(include_header=False))


@way("flow.floor", database="empty")
def _floor(place: Place) -> Facts:
    bodies = _bodies(list(batches(place)))
    command = [sys.executable, "-m", "tests.benchmarks.floor"]
    clock, first, answered = Clock(), 1, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline()) if server.stdout else 0
        with connected(place) as connection:
            connection.execute(_KEYS)
            connection.execute(_LEDGER)
            connection.commit()
            with clock.part("scan"):
                frames = list(batches(place))
            with clock.part("items"):
                for frame in frames:
                    copy_keys(connection, frame, first)
                    first += frame.height
                connection.commit()
            with clock.part("exchanges"):
                answered = asyncio.run(_exchanges(bodies, port))
            with clock.part("ledger"):
                first = 1
                for frame in frames:
                    _book(connection, frame, first)
                    first += frame.height
                connection.commit()
        server.terminate()
    good = good_lines(place.lines)
    require("answers", answered, 2 * len(bodies))
    found = "SELECT count(*), (SELECT count(*) FROM ledger) FROM item"
    require("items and ledger rows", seen(place, found), (good, 2 * good))
    parts = {f"s_{name}": seconds for name, seconds in clock.parts.items()}
    return {"seconds": clock.seconds, "items": place.lines, **parts}


if __name__ == "__main__":
    asyncio.run(_serve())
