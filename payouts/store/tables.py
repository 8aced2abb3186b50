"""The tables as SQLModel classes: one place where Python can read what the database holds.

Storage only: a table class does not validate. Migrations create the tables; a test compares these
classes with a migrated database, column by column, so that neither can drift. Money is bigint minor
units with the currency beside it, instants are timestamptz. Rows that come in hundreds go through
`bulk`, never through these classes one by one.
"""

# No `from __future__ import annotations` here: SQLModel reads the annotations at run time.
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, JSONB
from sqlmodel import Field, SQLModel

from payouts.core.items import State

__all__ = [
    "Approval",
    "Attempt",
    "Batch",
    "BatchCount",
    "BatchEvent",
    "BatchPayload",
    "CancelAttempt",
    "CancelRequest",
    "Collection",
    "CollectionAttempt",
    "CollectionEvent",
    "CollectionMove",
    "Confirmation",
    "ControlAction",
    "Erasure",
    "Evidence",
    "Hold",
    "Incident",
    "Installation",
    "Item",
    "ItemEvent",
    "ItemMove",
    "Lane",
    "LedgerAccount",
    "LedgerTransfer",
    "Line",
    "LookRequest",
    "Payer",
    "PipelineRun",
    "ProviderPayment",
    "Resolution",
    "Restoration",
    "ScheduleSlot",
    "WebhookInbox",
]

OUTCOMES = ("accepted", "rejected", "duplicate", "conflict", "quarantined")


def _state() -> Any:  # noqa: ANN401  SQLAlchemy's column types are loosely typed
    return ENUM(*(state.value for state in State), name="item_state", create_type=False)


def _big(**options: Any) -> Any:  # noqa: ANN401  SQLModel's Field is
    return Field(sa_type=BigInteger, **options)


def _small(**options: Any) -> Any:  # noqa: ANN401  SQLModel's Field is
    return Field(sa_type=SmallInteger, **options)


def _word(**options: Any) -> Any:  # noqa: ANN401  SQLModel's Field is
    return Field(sa_type=Text, **options)


def _at(**options: Any) -> Any:  # noqa: ANN401  SQLModel's Field is
    return Field(sa_type=DateTime(timezone=True), **options)


def _bytes(**options: Any) -> Any:  # noqa: ANN401  SQLModel's Field is
    return Field(sa_type=LargeBinary, **options)


class Installation(SQLModel, table=True):
    """The one row that binds a database to its keys and environment."""

    id: int = _small(primary_key=True, default=1)
    database_id: str = _word()
    environment: str = _word()
    install_key_fingerprint: str = _word()
    vault_key_fingerprint: str = _word()
    created_at: datetime = _at()
    identity_version: int = _small(default=1)
    generation: int = _big(default=0)


class Payer(SQLModel, table=True):
    """Whose payments these are; part of every line's identity."""

    id: int | None = _small(primary_key=True, default=None)
    name: str = _word(unique=True)


class ItemMove(SQLModel, table=True):
    """One arrow of the life of an item, as the database enforces it."""

    __tablename__ = "item_move"
    before: str = Field(sa_column=Column(_state(), primary_key=True))
    after: str = Field(sa_column=Column(_state(), primary_key=True))
    credit: str | None = _word(default=None)
    debit: str | None = _word(default=None)
    evidence: bool
    clear: bool
    clouds: bool
    single: bool


class LedgerAccount(SQLModel, table=True):
    """An account per kind, owner and currency; `balance_minor` where one is kept."""

    __tablename__ = "ledger_account"
    id: int | None = _big(primary_key=True, default=None)
    name: str = _word(unique=True)
    kind: str = _word()
    owner: str = _word()
    currency: str = _word()
    balance_minor: int | None = _big(default=None)


class LedgerTransfer(SQLModel, table=True):
    """One transfer: `credit` gives, `debit` receives; never changed."""

    __tablename__ = "ledger_transfer"
    id: int | None = _big(primary_key=True, default=None)
    posting: int = _big()
    credit_id: int = _big(foreign_key="ledger_account.id")
    debit_id: int = _big(foreign_key="ledger_account.id")
    amount_minor: int = _big()
    currency: str = _word()
    kind: str = _word()
    items: int = Field(default=0, sa_type=Integer)
    run_id: int | None = _big(default=None)
    batch_id: int | None = _big(default=None)
    item_id: int | None = _big(default=None)
    corrects: int | None = _big(default=None, foreign_key="ledger_transfer.id")
    reason: str | None = _word(default=None)
    at: datetime = _at()


class PipelineRun(SQLModel, table=True):
    """One file through one pipeline."""

    __tablename__ = "pipeline_run"
    id: int | None = _big(primary_key=True, default=None)
    payer_id: int = _small(foreign_key="payer.id")
    pipeline: str = _word()
    slot: str | None = _word(default=None)
    period: str = _word()
    source_name: str = _word()
    source_copy: str = _word()
    source_sha256: str = _word()
    source_bytes: int = _big()
    funding: str = _word()
    lines_read: int = _big(default=0)
    line_lo: int = _big(default=0)
    line_hi: int = _big(default=-1)
    counts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    totals: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    detected: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    policy: str = _word()
    approved_by: str | None = _word(default=None)
    approved_at: datetime | None = _at(default=None)
    created_at: datetime = _at()
    closed_at: datetime | None = _at(default=None)


class Line(SQLModel, table=True):
    """One data line of a file and what became of it; the unique identity lives here."""

    id: int = _big(primary_key=True)
    run_id: int = _big()
    number: int = _big()
    outcome: str = Field(
        sa_column=Column(ENUM(*OUTCOMES, name="line_outcome", create_type=False), nullable=False)
    )
    payer_id: int = _small()
    intent: int = _small(default=1)
    reference: str | None = Field(default=None, sa_column=Column(Text(collation="C")))
    item_id: int | None = _big(default=None)
    amount_minor: int | None = _big(default=None)
    currency: str | None = _word(default=None)
    content: bytes | None = _bytes(default=None)
    codes: str | None = _word(default=None)
    replaces: int | None = _big(default=None)


class Item(SQLModel, table=True):
    """An accepted payout; written once. Its life is in `BatchEvent` and `ItemEvent`."""

    id: int = _big(primary_key=True)
    batch_id: int = _big()
    line_id: int = _big()
    amount_minor: int = _big()
    wire_prefix: int = _big()
    account_hash: int | None = _big(default=None)
    lines: int = Field(default=1, sa_type=Integer)
    account_last4: str | None = _word(default=None)


class Batch(SQLModel, table=True):
    """A frozen, contiguous range of at most 500 items of one provider, account and currency."""

    id: int = _big(primary_key=True)
    run_id: int = _big(foreign_key="pipeline_run.id")
    lo: int = _big()
    hi: int = _big()
    provider: str = _word()
    funding: str = _word()
    currency: str = _word()
    due_date: date | None = None
    items: int = Field(sa_type=Integer)
    amount_minor: int = _big()
    funding_id: int = _big(foreign_key="ledger_account.id")
    reserved_id: int = _big(foreign_key="ledger_account.id")
    in_transit_id: int = _big(foreign_key="ledger_account.id")
    paid_id: int = _big(foreign_key="ledger_account.id")
    payload_hash: bytes = _bytes()
    base_state: str = Field(sa_column=Column(_state(), nullable=False))
    base_seq: int = _small(default=0)
    base_clouded: bool = False
    split: bool = False
    tries: int = _small(default=0)
    checks: int = _small(default=0)
    send_at: datetime | None = _at(default=None)
    check_at: datetime | None = _at(default=None)
    created_at: datetime = _at()
    retried_at: datetime | None = _at(default=None)


class BatchCount(SQLModel, table=True):
    """Items and money of a batch per state; moved by the triggers."""

    __tablename__ = "batch_count"
    batch_id: int = _big(primary_key=True, foreign_key="batch.id")
    state: str = Field(sa_column=Column(_state(), primary_key=True))
    items: int = Field(sa_type=Integer)
    amount_minor: int = _big()


class BatchPayload(SQLModel, table=True):
    """The bytes of a batch, sealed under a data key of their own."""

    __tablename__ = "batch_payload"
    batch_id: int = _big(primary_key=True, foreign_key="batch.id")
    encoder: str = _word()
    key_id: str = _word()
    data_key: bytes = _bytes()
    body: bytes = _bytes()


class Attempt(SQLModel, table=True):
    """One submission, on disk before its request leaves."""

    id: int | None = _big(primary_key=True, default=None)
    batch_id: int = _big(foreign_key="batch.id")
    number: int = _small()
    members: list[int] | None = Field(default=None, sa_column=Column(ARRAY(BigInteger)))
    items: int = Field(sa_type=Integer)
    key: str = _word()
    request_hash: bytes = _bytes()
    worker: int = Field(sa_type=Integer)
    fence: int = _big()
    opened_at: datetime = _at()
    send_by: datetime = _at()
    lease_until: datetime = _at()
    closed_at: datetime | None = _at(default=None)
    outcome: str | None = _word(default=None)
    http_status: int | None = _small(default=None)
    account_fingerprint: str | None = _word(default=None)


class Evidence(SQLModel, table=True):
    """What justifies a move: a reply, a look, a webhook, a statement line, a person."""

    id: int | None = _big(primary_key=True, default=None)
    kind: str = _word()
    provider: str = _word()
    batch_id: int | None = _big(default=None)
    attempt_id: int | None = _big(default=None)
    item_id: int | None = _big(default=None)
    http_status: int | None = _small(default=None)
    sha256: bytes | None = _bytes(default=None)
    bytes: int = Field(default=0, sa_type=Integer)
    excerpt: str | None = _word(default=None)
    at: datetime = _at()


class ProviderPayment(SQLModel, table=True):
    """The provider's id of an item."""

    __tablename__ = "provider_payment"
    provider: str = _word(primary_key=True)
    provider_ref: str = _word()
    item_id: int = _big(primary_key=True)


class BatchEvent(SQLModel, table=True):
    """A move that all items of a batch made together."""

    __tablename__ = "batch_event"
    batch_id: int = _big(primary_key=True)
    seq: int = _small(primary_key=True)
    before: str = Field(sa_column=Column(_state(), nullable=False))
    after: str = Field(sa_column=Column(_state(), nullable=False))
    clouded: bool = False
    actor: str = _word()
    posting: int = _big()
    attempt_id: int | None = _big(default=None)
    evidence_id: int | None = _big(default=None)
    code: str | None = _word(default=None)
    provider_status: str | None = _word(default=None)
    due_at: datetime | None = _at(default=None)
    at: datetime = _at()
    put_offs: int = _small(default=0)
    resends: int = _small(default=0)


class ItemEvent(SQLModel, table=True):
    """A move of one item."""

    __tablename__ = "item_event"
    item_id: int = _big(primary_key=True)
    batch_id: int = _big()
    posting: int = _big()
    attempt_id: int | None = _big(default=None)
    evidence_id: int | None = _big(default=None)
    due_at: datetime | None = _at(default=None)
    at: datetime = _at()
    before: str = Field(sa_column=Column(_state(), nullable=False))
    after: str = Field(sa_column=Column(_state(), nullable=False))
    seq: int = _small(primary_key=True)
    tries: int = _small(default=0)
    clouded: bool = False
    actor: str = _word()
    code: str | None = _word(default=None)
    provider_status: str | None = _word(default=None)
    put_offs: int = _small(default=0)
    resends: int = _small(default=0)


class Hold(SQLModel, table=True):
    """A row that says wait, and why."""

    id: int | None = _big(primary_key=True, default=None)
    run_id: int = _big(foreign_key="pipeline_run.id")
    item_id: int | None = _big(default=None)
    reason: str = _word()
    detail: str = _word()
    opened_at: datetime = _at()
    opened_by: str = _word()
    released_at: datetime | None = _at(default=None)
    released_by: str | None = _word(default=None)


class Lane(SQLModel, table=True):
    """A provider and funding account; paused, with the reason."""

    provider: str = _word(primary_key=True)
    funding: str = _word(primary_key=True)
    paused_at: datetime | None = _at(default=None)
    reason: str | None = _word(default=None)
    paused_by: str | None = _word(default=None)


class Approval(SQLModel, table=True):
    """Who approved a run, and why."""

    id: int | None = _big(primary_key=True, default=None)
    run_id: int = _big(foreign_key="pipeline_run.id")
    actor: str = _word()
    reason: str = _word()
    at: datetime = _at()


class ScheduleSlot(SQLModel, table=True):
    """A slot of a schedule; its key decides that it runs once."""

    __tablename__ = "schedule_slot"
    pipeline: str = _word(primary_key=True)
    slot: str = _word(primary_key=True)
    claimed_at: datetime = _at()
    state: str = _word(default="claimed")
    detail: str | None = _word(default=None)


class Confirmation(SQLModel, table=True):
    """Something a person confirmed once, e.g. which leone a platform means."""

    subject: str = _word(primary_key=True)
    value: str = _word()
    actor: str = _word()
    at: datetime = _at()


class Incident(SQLModel, table=True):
    """Something a person has to see; one row for the same fact, however often it is seen."""

    id: int | None = _big(primary_key=True, default=None)
    code: str = _word()
    severity: int = _small()
    subject: str = _word()
    detail: str = _word()
    times: int = Field(1, sa_type=Integer)
    opened_at: datetime = _at()
    last_at: datetime = _at()
    closed_at: datetime | None = _at(default=None)
    closed_by: str | None = _word(default=None)


class LookRequest(SQLModel, table=True):
    """An item that is to be looked at once, whatever its state."""

    __tablename__ = "look_request"
    item_id: int = _big(primary_key=True)
    batch_id: int = _big(foreign_key="batch.id")
    reason: str = _word()
    tries: int = _small(default=0)
    due_at: datetime = _at()
    asked_at: datetime = _at()
    missing: int = _small(default=0)
    missing_at: datetime | None = _at(default=None)


class CancelRequest(SQLModel, table=True):
    """Somebody asked that an item, or a whole run, is not paid; nothing it covers is sent."""

    __tablename__ = "cancel_request"
    id: int | None = _big(primary_key=True, default=None)
    run_id: int = _big(foreign_key="pipeline_run.id")
    item_id: int | None = _big(default=None)
    reason: str = _word()
    actor: str = _word()
    asked_at: datetime = _at()
    done_at: datetime | None = _at(default=None)
    outcome: str | None = _word(default=None)


class CancelAttempt(SQLModel, table=True):
    """One request to a provider to cancel one payment, written before it is sent."""

    __tablename__ = "cancel_attempt"
    id: int | None = _big(primary_key=True, default=None)
    request_id: int = _big(foreign_key="cancel_request.id")
    item_id: int = _big()
    number: int = _small()
    fence: int = _big()
    opened_at: datetime = _at()
    send_by: datetime = _at()
    closed_at: datetime | None = _at(default=None)
    outcome: str | None = _word(default=None)
    http_status: int | None = _small(default=None)


class Resolution(SQLModel, table=True):
    """What two different people decide about items in review: proposed, then applied."""

    id: int | None = _big(primary_key=True, default=None)
    item_id: int | None = _big(default=None)
    batch_id: int | None = _big(default=None)
    members: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    seqs: list[int] = Field(sa_column=Column(ARRAY(SmallInteger), nullable=False))
    decision: str = _word()
    reason: str = _word()
    evidence: str = _word()
    first_actor: str = _word()
    first_at: datetime = _at()
    second_actor: str | None = _word(default=None)
    second_reason: str | None = _word(default=None)
    second_evidence: str | None = _word(default=None)
    second_at: datetime | None = _at(default=None)
    applied_at: datetime | None = _at(default=None)
    withdrawn_by: str | None = _word(default=None)
    withdrawn_at: datetime | None = _at(default=None)


class Restoration(SQLModel, table=True):
    """A start on a restored backup: nothing goes to the provider until two people confirm."""

    id: int | None = _big(primary_key=True, default=None)
    provider: str = _word()
    generation: int = _big()
    expected: int = _big()
    since: datetime = _at()
    allowed_until: datetime | None = _at(default=None)
    noticed_at: datetime = _at()
    first_actor: str | None = _word(default=None)
    first_reason: str | None = _word(default=None)
    first_at: datetime | None = _at(default=None)
    second_actor: str | None = _word(default=None)
    second_reason: str | None = _word(default=None)
    second_at: datetime | None = _at(default=None)


class ControlAction(SQLModel, table=True):
    """What a person did to a run, an item or a lane, and why."""

    __tablename__ = "control_action"
    id: int | None = _big(primary_key=True, default=None)
    action: str = _word()
    subject: str = _word()
    reason: str = _word()
    actor: str = _word()
    at: datetime = _at()


class WebhookInbox(SQLModel, table=True):
    """A webhook that was verified: stored before it is answered, applied later."""

    __tablename__ = "webhook_inbox"
    id: int | None = _big(primary_key=True, default=None)
    provider: str = _word()
    event_id: str = _word()
    sha256: bytes = _bytes()
    key_id: str = _word()
    data_key: bytes = _bytes()
    body: bytes = _bytes()
    received_at: datetime = _at()
    keep_until: datetime = _at()
    state: str = _word(default="new")
    tries: int = _small(default=0)
    due_at: datetime | None = _at(default=None)
    name: str | None = _word(default=None)
    provider_ref: str | None = _word(default=None)
    item_id: int | None = _big(default=None)
    error: str | None = _word(default=None)
    done_at: datetime | None = _at(default=None)
    bytes: int = Field(sa_type=Integer)  # last: the name hides the type


class Collection(SQLModel, table=True):
    """Money that somebody is asked to pay in by a link; its life is in `CollectionEvent`."""

    id: int | None = _big(primary_key=True, default=None)
    provider: str = _word()
    funding: str = _word()
    currency: str = _word()
    amount_minor: int = _big()
    run_id: int | None = _big(default=None, foreign_key="pipeline_run.id")
    key: str = _word(unique=True)
    description: str = _word()
    actor: str = _word()
    ends_at: datetime = _at()
    created_at: datetime = _at()
    look_at: datetime | None = _at(default=None)
    looks: int = _small(default=0)


class CollectionAttempt(SQLModel, table=True):
    """One request that creates a payment at the platform, written before it is sent."""

    __tablename__ = "collection_attempt"
    id: int | None = _big(primary_key=True, default=None)
    collection_id: int = _big(foreign_key="collection.id")
    number: int = _small()
    request_hash: bytes = _bytes()
    fence: int = _big()
    opened_at: datetime = _at()
    send_by: datetime = _at()
    lease_until: datetime = _at()
    closed_at: datetime | None = _at(default=None)
    outcome: str | None = _word(default=None)
    http_status: int | None = _small(default=None)


class CollectionEvent(SQLModel, table=True):
    """A move of a collection; `posting` books its money."""

    __tablename__ = "collection_event"
    collection_id: int = _big(primary_key=True, foreign_key="collection.id")
    seq: int = _small(primary_key=True)
    before: str = _word()
    after: str = _word()
    actor: str = _word()
    code: str | None = _word(default=None)
    provider_ref: str | None = _word(default=None)
    provider_status: str | None = _word(default=None)
    link: str | None = _word(default=None)
    evidence_id: int | None = _big(default=None, foreign_key="evidence.id")
    posting: int | None = _big(default=None)
    at: datetime = _at()


class CollectionMove(SQLModel, table=True):
    """One arrow of the life of a collection, as the database enforces it."""

    __tablename__ = "collection_move"
    before: str = _word(primary_key=True)
    after: str = _word(primary_key=True)


class Erasure(SQLModel, table=True):
    """A key of account data that was deleted where it was kept."""

    token: str = _word(primary_key=True)
    run_id: int = _big(foreign_key="pipeline_run.id")
    actor: str = _word()
    at: datetime = _at()
