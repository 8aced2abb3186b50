"""The planted bugs: small wrong patches, as data, and who has to notice each.

An edit is (text that stands exactly once in the package, text in its place); a bug whose target is
gone fails loudly and has to be planted anew. `off` is SQL that switches a neighbouring safety layer
off: with it the bug must be noticed as well, since layered safety hides bugs.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BUGS", "SIMULATION", "Bug"]

SIMULATION = "simulation"

Edit = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Bug:
    """One wrong patch.

    Args:
        name: what somebody might do in good faith.
        layer: where the rule lives.
        edits: the patch.
        focus: faults and mishaps that the simulation's plans are drawn around.
        killer: `simulation`, or tests as pytest takes them.
        off: SQL by which a neighbouring layer is switched off in a second run.
        money: loses money; the fifteen quickest of these are in the short suite.
    """

    name: str
    layer: str
    edits: tuple[Edit, ...]
    focus: tuple[str, ...] = ()
    killer: str = SIMULATION
    off: str = ""
    money: bool = True


# Neighbouring layers, switched off by what is run after the migrations.
_MUTE = (
    "DO $$ BEGIN EXECUTE replace(pg_get_functiondef('{0}'::regproc), 'IF FOUND THEN',"
    " 'IF false THEN'); END $$;"
)
_GUARDS = "".join(
    _MUTE.format(name)
    for name in (
        *("item_event_applied", "batch_event_applied"),
        *("item_event_grounds", "batch_event_grounds"),
    )
)
_UNIQUE_IDENTITY = "DROP INDEX line_identity;"

BUGS: tuple[Bug, ...] = (
    # -- what an answer means
    Bug(
        "a time-out means failed",
        "core.outcomes",
        (("_FAILURES.get(failure, Answer.UNCLEAR)", "_FAILURES.get(failure, Answer.REJECTED)"),),
        focus=("lost_reply",),
    ),
    Bug(
        "a time-out means not executed: send again",
        "core.outcomes",
        (
            (
                "_FAILURES.get(failure, Answer.UNCLEAR)",
                "_FAILURES.get(failure, Answer.NOT_EXECUTED)",
            ),
        ),
        focus=("lost_reply",),
    ),
    Bug(
        "an unknown status means not executed: send again",
        "core.outcomes",
        (("_STATUSES.get(status, Answer.UNCLEAR)", "_STATUSES.get(status, Answer.NOT_EXECUTED)"),),
        focus=("error_after",),
    ),
    Bug(
        "a 500 means failed",
        "core.outcomes",
        (("_STATUSES.get(status, Answer.UNCLEAR)", "_STATUSES.get(status, Answer.REJECTED)"),),
        focus=("error_after",),
    ),
    Bug(
        "a 503 means not executed, whoever says it",
        "core.outcomes",
        (("if status == 503 and not_executed_on_503:", "if status == 503:"),),
        focus=("unavailable_after",),
    ),
    Bug(
        "a 409 means failed",
        "core.outcomes",
        (("409: Answer.UNCLEAR,", "409: Answer.REJECTED,"),),
        focus=("in_progress",),
    ),
    Bug(
        "a 408 means not executed",
        "core.outcomes",
        (("408: Answer.UNCLEAR,", "408: Answer.NOT_EXECUTED,"),),
        focus=("request_timeout",),
    ),
    Bug(
        "a 401 fails the payment",
        "core.outcomes",
        (("401: Answer.CONFIGURATION,", "401: Answer.REJECTED,"),),
        money=False,
        focus=("unauthorized",),
    ),
    Bug(
        "a 429 fails the payment",
        "core.outcomes",
        (("429: Answer.NOT_EXECUTED,", "429: Answer.REJECTED,"),),
        money=False,
        focus=("throttled",),
    ),
    Bug(
        "a reset while reading means that we never connected",
        "providers.client",
        (
            (
                "(httpx.RemoteProtocolError, Failure.READ_BROKEN)",
                "(httpx.RemoteProtocolError, Failure.NOT_CONNECTED)",
            ),
            ("(httpx.ReadError, Failure.READ_BROKEN)", "(httpx.ReadError, Failure.NOT_CONNECTED)"),
        ),
        focus=("reset_reply",),
    ),
    Bug(
        "our own deadline means that nothing was sent",
        "providers.client",
        (
            (
                "return Exchange(failure=Failure.DEADLINE)",
                "return Exchange(failure=Failure.NOTHING_SENT)",
            ),
        ),
        focus=("hang",),
    ),
    # -- how a reply is read
    Bug(
        "an unknown word means failed (Orkestra)",
        "providers.orkestra",
        (
            (
                "        return Verdict.UNCLEAR, ref, word,",
                "        return Verdict.REJECTED, ref, word,",
            ),
        ),
        focus=("unknown_word",),
    ),
    Bug(
        "an unknown word means failed (Orkesta)",
        "providers.orkesta",
        (
            (
                'return Verdict.UNCLEAR, ref, status, "unknown_status_word"',
                'return Verdict.REJECTED, ref, status, "unknown_status_word"',
            ),
        ),
        focus=("unknown_word",),
    ),
    Bug(
        "pending means paid (Orkestra)",
        "providers.orkestra",
        (('"PENDING": Verdict.PROCESSING,', '"PENDING": Verdict.SETTLED,'),),
    ),
    Bug(
        "processing means paid (Orkesta)",
        "providers.orkesta",
        (('"processing": Verdict.PROCESSING,', '"processing": Verdict.SETTLED,'),),
    ),
    Bug(
        "an item that is missing from the reply has failed",
        "providers.orkesta",
        (
            (
                'return Verdict.UNCLEAR, None, None, "not_in_reply"',
                'return Verdict.REJECTED, None, None, "not_in_reply"',
            ),
        ),
        focus=("missing",),
    ),
    Bug(
        "of two contradictory entries of an item the last one counts",
        "providers.orkesta",
        (("                    twice.add(wire)", "                    pass"),),
        focus=("twice_different",),
    ),
    Bug(
        "items are matched by position",
        "providers.orkesta",
        (
            (
                (
                    "        if not by_wire and len(rows) == len(sent.wires):\n"
                    "            by_wire = _by_position(rows, sent)"
                ),
                (
                    "        if len(rows) == len(sent.wires):\n"
                    "            by_wire, twice = dict(zip(sent.wires, rows, strict=True)), set()"
                ),
            ),
            ("        agreed = _agreed(rows, sent)", "        agreed = None"),
        ),
        focus=(
            "shuffled",
            "missing",
        ),
    ),
    Bug(
        "the echo of the amount is ignored (Orkestra)",
        "providers.orkestra",
        (("    if not _same_amount(row, sent):", "    if not sent:"),),
        killer="tests/providers/test_orkestra.py",
    ),
    Bug(
        "the echo of the amount is ignored (Orkesta)",
        "providers.orkesta",
        (("if type(echoed) is not int or echoed != amount or", "if not echoed or"),),
        killer="tests/providers/test_orkesta.py",
    ),
    # -- what follows from it
    Bug(
        "a rejection after an unclear answer is final",
        "core.decisions",
        (
            (
                "return (_S.UNKNOWN, _S.FAILED) if found else (_S.UNKNOWN,)",
                "return (_S.UNKNOWN, _S.FAILED)",
            ),
        ),
        focus=("lost_reply+bad_request",),
    ),
    Bug(
        "not executed after an unclear answer makes it free to be sent",
        "core.decisions",
        (
            (
                "    if clouded and verdict is Verdict.NOT_EXECUTED:\n        return (_S.UNKNOWN,)\n",
                "",
            ),
        ),
        off=_GUARDS,
        focus=("lost_reply+throttled+bad_request",),
    ),
    Bug(
        "a look that finds nothing proves that nothing was paid",
        "flows.looked",
        (
            (
                '            return Verdict.MISMATCH, None, "no_evidence"',
                '            return Verdict.REJECTED, None, "no_evidence"',
            ),
        ),
        focus=("lost_reply",),
    ),
    Bug(
        "a provider without keys is sent to again",
        "providers.orkesta",
        (
            (
                "            idempotent=False,\n            key_life_s=0,",
                "            idempotent=True,\n            key_life_s=86_400.0,",
            ),
        ),
        focus=("lost_reply",),
    ),
    Bug(
        "a new key for each attempt",
        "providers.orkestra",
        (
            (
                "            body=bodies[0],",
                "            body=bodies[0][:-4] + __import__('secrets').token_hex(1).upper().encode() + b'\"}',",
            ),
        ),
        focus=("lost_reply",),
    ),
    Bug(
        "a key is believed to live for ever",
        "core.retry",
        (
            (
                "return max(0.0, self.key_life_s - 2 * _HOUR)",
                "return 1e6 * self.key_life_s",
            ),
        ),
        focus=("no_content",),
    ),
    Bug(
        "an unclear item is sent again at once",
        "core.retry",
        (("return self.quiet_s * self.pace", "return 0.0"),),
        focus=("lost_reply",),
    ),
    Bug(
        "retry now is for unclear items too",
        "store.lanes",
        (
            (
                "    \"(n.state = 'approved' AND n.tries > 0 AND b.retried_at",
                '    "(n.tries > 0 AND b.retried_at',
            ),
            (
                " AND n.state = 'approved' AND n.tries > 0 AND n.due_at > payouts_now() GROUP BY 1",
                " AND n.tries > 0 AND n.due_at > payouts_now() GROUP BY 1",
            ),
        ),
        focus=(
            "lost_reply",
            "resume",
        ),
    ),
    # -- attempts, leases, deaths
    Bug(
        "an outcome is written whatever its fence",
        "store.lanes",
        (
            (
                " ON mine.id = a.id AND mine.fence = a.fence WHERE a.closed_at IS NULL",
                " ON mine.id = a.id",
            ),
        ),
        off=_GUARDS,
        focus=("freeze",),
    ),
    Bug(
        "what a dead worker had out is free to be sent",
        "store.lanes",
        (
            (
                "b.base_seq + 1, 'sending', 'unknown', true, :actor",
                "b.base_seq + 1, 'sending', 'approved', false, :actor",
            ),
            (
                "a.id, 'sending', 'unknown', n.seq + 1, n.tries,\"\n            \" true,",
                "a.id, 'sending', 'approved', n.seq + 1, n.tries,\"\n            \" false,",
            ),
        ),
        focus=("crash",),
    ),
    Bug(
        "a worker that was frozen sends all the same",
        "providers.client",
        (("if permit is not None and self._clock() > permit.send_by:", "if False:"),),
        focus=("freeze",),
    ),
    Bug(
        "money moves without a permit",
        "providers.client",
        (("if request.moves_money and permit is None:", "if False:"),),
        killer="tests/providers/test_client.py",
    ),
    Bug(
        "a settlement needs no evidence",
        "flows.record",
        (
            (
                "claim.seqs[0] + 1, claim.attempt_id, proof,",
                "claim.seqs[0] + 1, claim.attempt_id, None,",
            ),
        ),
        off=_GUARDS,
        money=False,
    ),
    Bug(
        "a held item is sent with the rest",
        "store.lanes",
        (
            (
                '_HELD_INSIDE = (\n    "EXISTS (SELECT FROM hold',
                '_HELD_INSIDE = (\n    "false AND EXISTS (SELECT FROM hold',
            ),
        ),
        focus=(
            "hold",
            "throttled",
        ),
    ),
    Bug(
        "what was approved is not compared with what is sent",
        "flows.lane",
        (("if hashlib.sha256(plain).digest() != ", "if hashlib.sha256(plain).digest() < b'' != "),),
        killer="tests/simulation/test_simulation.py -k altered",
        money=False,
    ),
    Bug(
        "a cancel request is forgotten when an unclear item is sent again",
        "store.cancels",
        (
            (
                'COVERED = (\n    "EXISTS (SELECT FROM cancel_request c',
                'COVERED = (\n    "false AND EXISTS (SELECT FROM cancel_request c',
            ),
        ),
        focus=("lost_reply", "cancel"),
    ),
    # -- the ledger
    Bug(
        "a payment is booked the wrong way round",
        "the table of moves",
        (("sending settled in_transit paid e---", "sending settled paid in_transit e---"),),
    ),
    Bug(
        "a failed payment keeps its money in transit",
        "the table of moves",
        (("sending failed in_transit funding ec--", "sending failed - - ec--"),),
    ),
    Bug(
        "the opening balance is booked with each file",
        "flows.fund",
        (("    if booked or not amount_minor:", "    if not amount_minor:"),),
        focus=("more",),
    ),
    # -- files and lines
    Bug(
        "a line that was paid is not looked up",
        "store.runs",
        (
            (
                "    if not overlap:\n        return pl.DataFrame",
                "    if True:\n        return pl.DataFrame",
            ),
        ),
        off=_UNIQUE_IDENTITY,
        focus=("more",),
    ),
    Bug(
        "the wire reference is made from the key of the row",
        "flows.identity",
        (
            (
                'message = pl.concat_str("reference",',
                'message = pl.concat_str(pl.col("line_id").cast(pl.String),',
            ),
        ),
        focus=("again",),
    ),
    Bug(
        "a rejected line counts as accepted",
        "flows.claim",
        (
            (
                'rows = refused.with_columns(outcome=pl.lit("rejected"))',
                'rows = refused.with_columns(outcome=pl.lit("accepted"))',
            ),
        ),
        killer="tests/flows/test_report.py",
    ),
    Bug(
        "amounts pass through a float",
        "providers.encode",
        (
            (
                '    return pl.concat_str(whole, fraction.fill_null(""))',
                "    return (minor.cast(pl.Float32) / 10.0**exponent).cast(pl.String)",
            ),
        ),
        killer="tests/providers/test_encode.py",
    ),
    Bug(
        "a schedule has no row of its own for a slot",
        "store.slots",
        (("  PRIMARY KEY (pipeline, slot)\n", "  CHECK (pipeline <> '')\n"),),
        killer="tests/test_scheduler.py",
    ),
)
