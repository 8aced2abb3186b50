-- The first shape of the database. Names are the field's; money is bigint minor units with the
-- currency beside it; instants are timestamptz.

-- Time ---------------------------------------------------------------------------------------
-- The one source of "now" in our SQL. The session setting is honoured for the simulation's role
-- only; nobody else can move the clock.
CREATE FUNCTION payouts_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN session_user = 'payouts_simulation'
              THEN coalesce(nullif(current_setting('payouts.now', true), '')::timestamptz,
                            clock_timestamp())
              ELSE clock_timestamp() END
$$;

-- The installation: one row -------------------------------------------------------------------
CREATE TABLE installation (
  id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  database_id text NOT NULL,
  environment text NOT NULL CHECK (environment IN ('sandbox', 'live')),
  install_key_fingerprint text NOT NULL,
  vault_key_fingerprint text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT payouts_now()
);

CREATE TABLE payer (
  id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE
);

-- States and moves: the same table as payouts/core/items.py; a test compares them --------------
CREATE TYPE item_state AS ENUM (
  'pending', 'approved', 'sending', 'unknown', 'processing', 'review', 'settled', 'reconciled',
  'failed', 'returned', 'cancelled', 'expired'
);

CREATE TABLE item_move (
  before item_state NOT NULL,
  after item_state NOT NULL,
  credit text CHECK (credit IN ('funding', 'reserved', 'in_transit', 'paid')),
  debit text CHECK (debit IN ('funding', 'reserved', 'in_transit', 'paid')),
  evidence boolean NOT NULL,   -- needs a row of evidence
  clear boolean NOT NULL,      -- refused while the item is clouded
  clouds boolean NOT NULL,     -- the item is clouded after it
  single boolean NOT NULL,     -- booked per item, linked to the transfer that it corrects
  PRIMARY KEY (before, after),
  CHECK ((credit IS NULL) = (debit IS NULL))
);
INSERT INTO item_move (before, after, credit, debit, evidence, clear, clouds, single) VALUES
/*moves*/;

-- The ledger -----------------------------------------------------------------------------------
CREATE TABLE ledger_account (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  kind text NOT NULL,
  owner text NOT NULL,
  currency text NOT NULL,
  balance_minor bigint,        -- kept for funding and reserved only; the others are summed
  CHECK ((kind IN ('funding', 'reserved')) = (balance_minor IS NOT NULL)),
  CONSTRAINT ledger_account_not_overdrawn CHECK (balance_minor >= 0)
);

CREATE SEQUENCE posting_seq;
CREATE TABLE ledger_transfer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  posting bigint NOT NULL,     -- the events that carry the same number are what it books
  credit_id bigint NOT NULL REFERENCES ledger_account,
  debit_id bigint NOT NULL REFERENCES ledger_account,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL,
  kind text NOT NULL,
  items integer NOT NULL DEFAULT 0,
  run_id bigint,
  batch_id bigint,
  item_id bigint,
  corrects bigint REFERENCES ledger_transfer,
  reason text,
  at timestamptz NOT NULL DEFAULT payouts_now(),
  CHECK (credit_id <> debit_id),
  UNIQUE NULLS NOT DISTINCT (posting, kind, batch_id, item_id)
);
CREATE INDEX ledger_transfer_batch ON ledger_transfer (batch_id);
CREATE INDEX ledger_transfer_account ON ledger_transfer (debit_id, credit_id);

-- Runs, lines, items, batches --------------------------------------------------------------------
CREATE TABLE pipeline_run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  payer_id smallint NOT NULL REFERENCES payer,
  pipeline text NOT NULL,
  slot text,
  period text NOT NULL,
  source_name text NOT NULL,
  source_copy text NOT NULL,   -- our own private copy, relative to the project folder
  source_sha256 text NOT NULL,
  source_bytes bigint NOT NULL,
  funding text NOT NULL,
  lines_read bigint NOT NULL DEFAULT 0,
  line_lo bigint NOT NULL DEFAULT 0,
  line_hi bigint NOT NULL DEFAULT -1,
  counts jsonb NOT NULL DEFAULT '{}',   -- outcome -> lines
  totals jsonb NOT NULL DEFAULT '{}',   -- currency -> accepted minor units
  detected jsonb NOT NULL DEFAULT '{}', -- dialect and notes of the file
  policy text NOT NULL,
  approved_by text,
  approved_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT payouts_now(),
  closed_at timestamptz
);
-- A file's bytes are claimed once, and only when at least one of its lines was accepted (P3).
CREATE UNIQUE INDEX pipeline_run_source ON pipeline_run (payer_id, source_sha256)
  WHERE counts ? 'accepted';
CREATE UNIQUE INDEX pipeline_run_slot ON pipeline_run (pipeline, slot, source_sha256)
  WHERE slot IS NOT NULL;

CREATE TYPE line_outcome AS ENUM ('accepted', 'rejected', 'duplicate', 'conflict', 'quarantined');
CREATE SEQUENCE line_seq;
CREATE TABLE line (
  id bigint PRIMARY KEY,
  run_id bigint NOT NULL,
  number bigint NOT NULL,      -- as a person sees it in the file
  outcome line_outcome NOT NULL,
  payer_id smallint NOT NULL,
  intent smallint NOT NULL DEFAULT 1,
  reference text COLLATE "C",
  item_id bigint,
  amount_minor bigint,
  currency text,
  content bytea,               -- keyed hash of what would be paid: equal lines, equal bytes
  codes text,
  replaces bigint,             -- re-issue: the item that this line pays again
  CHECK (outcome <> 'accepted' OR (reference IS NOT NULL AND item_id IS NOT NULL
                                   AND amount_minor > 0 AND currency IS NOT NULL
                                   AND content IS NOT NULL)),
  CHECK ((intent > 1) = (replaces IS NOT NULL))
);
-- P1 and P3: one accepted line per identity, whatever file it comes in.
CREATE UNIQUE INDEX line_identity ON line (payer_id, reference, intent) WHERE outcome = 'accepted';
CREATE UNIQUE INDEX line_replaces ON line (replaces) WHERE replaces IS NOT NULL;

CREATE SEQUENCE item_seq;
CREATE TABLE item (
  id bigint PRIMARY KEY,       -- in batch order
  batch_id bigint NOT NULL,
  line_id bigint NOT NULL,     -- the first of its lines
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  wire_prefix bigint NOT NULL,
  account_hash bigint,         -- keyed: equality only
  lines integer NOT NULL DEFAULT 1 CHECK (lines > 0),
  account_last4 text
);
CREATE INDEX item_wire ON item (wire_prefix);

CREATE SEQUENCE batch_seq;
CREATE TABLE batch (
  id bigint PRIMARY KEY,
  run_id bigint NOT NULL REFERENCES pipeline_run,
  lo bigint NOT NULL,
  hi bigint NOT NULL,
  provider text NOT NULL,
  funding text NOT NULL,
  currency text NOT NULL,
  due_date date,
  items integer NOT NULL CHECK (items BETWEEN 1 AND 500),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  funding_id bigint NOT NULL REFERENCES ledger_account,
  reserved_id bigint NOT NULL REFERENCES ledger_account,
  in_transit_id bigint NOT NULL REFERENCES ledger_account,
  paid_id bigint NOT NULL REFERENCES ledger_account,
  payload_hash bytea NOT NULL,           -- of the bytes that will be sent, sealed here
  -- The state of every item that has no event of its own; moved by batch_event only.
  base_state item_state NOT NULL DEFAULT 'pending',
  base_seq smallint NOT NULL DEFAULT 0,
  base_clouded boolean NOT NULL DEFAULT false,
  split boolean NOT NULL DEFAULT false,  -- items have events of their own from here on
  tries smallint NOT NULL DEFAULT 0,
  checks smallint NOT NULL DEFAULT 0,
  send_at timestamptz,                   -- when something of it is due to be sent
  check_at timestamptz,                  -- when something of it is due to be looked at
  created_at timestamptz NOT NULL DEFAULT payouts_now(),
  CHECK (hi - lo + 1 = items)
);
CREATE INDEX batch_run ON batch (run_id);
CREATE INDEX batch_send ON batch (provider, funding, send_at) WHERE send_at IS NOT NULL;
CREATE INDEX batch_check ON batch (provider, funding, check_at) WHERE check_at IS NOT NULL;
CREATE UNIQUE INDEX batch_range ON batch (lo);

CREATE TABLE batch_count (
  batch_id bigint NOT NULL REFERENCES batch,
  state item_state NOT NULL,
  items integer NOT NULL CHECK (items >= 0),
  amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
  PRIMARY KEY (batch_id, state)
) WITH (fillfactor = 50);

-- What is sent, encrypted with a data key of its own: one operation per batch.
CREATE TABLE batch_payload (
  batch_id bigint PRIMARY KEY REFERENCES batch,
  encoder text NOT NULL,
  key_id text NOT NULL,
  data_key bytea NOT NULL,
  body bytea NOT NULL
);
ALTER TABLE batch_payload ALTER COLUMN body SET STORAGE EXTERNAL;

-- Attempts and evidence ------------------------------------------------------------------------
CREATE SEQUENCE fence_seq;
CREATE SEQUENCE worker_seq MAXVALUE 2147483647 CYCLE;
CREATE TABLE attempt (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  batch_id bigint NOT NULL REFERENCES batch,
  number smallint NOT NULL,
  members bigint[],            -- null: the whole batch
  items integer NOT NULL CHECK (items BETWEEN 1 AND 500),
  key text NOT NULL,
  request_hash bytea NOT NULL,
  worker integer NOT NULL,       -- holds an advisory lock for as long as its writer lives
  fence bigint NOT NULL DEFAULT nextval('fence_seq'),
  opened_at timestamptz NOT NULL DEFAULT payouts_now(),
  send_by timestamptz NOT NULL,
  lease_until timestamptz NOT NULL,
  closed_at timestamptz,
  outcome text,
  http_status smallint,
  UNIQUE (batch_id, number)
);
CREATE INDEX attempt_open ON attempt (lease_until) WHERE closed_at IS NULL;

CREATE TABLE evidence (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('reply', 'lookup', 'webhook', 'statement', 'person', 'lease')),
  provider text NOT NULL,
  batch_id bigint,
  attempt_id bigint,
  item_id bigint,
  http_status smallint,
  sha256 bytea,
  bytes integer NOT NULL DEFAULT 0,
  excerpt text,                -- of what was not understood; never of an account number
  at timestamptz NOT NULL DEFAULT payouts_now()
);
CREATE INDEX evidence_batch ON evidence (batch_id);

CREATE TABLE provider_payment (
  provider text NOT NULL,
  provider_ref text NOT NULL,
  item_id bigint NOT NULL,
  PRIMARY KEY (item_id, provider),
  UNIQUE (provider, provider_ref)
);

-- The life of items ------------------------------------------------------------------------------
-- A move that all items of a batch make together is one row of batch_event, possible only while
-- none of them has an event of its own. From then on each move of an item is a row of item_event.
-- `seq` counts on from one to the other, so the history of an item is both, in order of `seq`.
CREATE TABLE batch_event (
  batch_id bigint NOT NULL,
  seq smallint NOT NULL,
  before item_state NOT NULL,
  after item_state NOT NULL,
  clouded boolean NOT NULL DEFAULT false,
  actor text NOT NULL,
  posting bigint NOT NULL,
  attempt_id bigint,
  evidence_id bigint,
  code text,
  provider_status text,
  due_at timestamptz,
  at timestamptz NOT NULL DEFAULT payouts_now(),
  PRIMARY KEY (batch_id, seq)
);

CREATE TABLE item_event (
  item_id bigint NOT NULL,
  batch_id bigint NOT NULL,
  posting bigint NOT NULL,
  attempt_id bigint,
  evidence_id bigint,
  due_at timestamptz,
  at timestamptz NOT NULL DEFAULT payouts_now(),
  before item_state NOT NULL,
  after item_state NOT NULL,
  seq smallint NOT NULL,
  tries smallint NOT NULL DEFAULT 0,
  clouded boolean NOT NULL DEFAULT false,
  actor text NOT NULL,
  code text,
  provider_status text,
  PRIMARY KEY (item_id, seq)
);

CREATE TABLE hold (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id bigint NOT NULL REFERENCES pipeline_run,
  item_id bigint,
  reason text NOT NULL,
  detail text NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT payouts_now(),
  opened_by text NOT NULL,
  released_at timestamptz,
  released_by text
);
CREATE INDEX hold_open ON hold (run_id) WHERE released_at IS NULL;

CREATE TABLE lane (
  provider text NOT NULL,
  funding text NOT NULL,
  paused_at timestamptz,
  reason text,
  PRIMARY KEY (provider, funding)
);

CREATE TABLE approval (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id bigint NOT NULL REFERENCES pipeline_run,
  actor text NOT NULL,
  reason text NOT NULL,
  at timestamptz NOT NULL DEFAULT payouts_now()
);

-- A slot of a schedule runs once, whoever rings (P19).
CREATE TABLE schedule_slot (
  pipeline text NOT NULL,
  slot text NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT payouts_now(),
  state text NOT NULL DEFAULT 'claimed',
  detail text,
  PRIMARY KEY (pipeline, slot)
);

CREATE TABLE confirmation (
  subject text PRIMARY KEY,    -- e.g. leone
  value text NOT NULL,
  actor text NOT NULL,
  at timestamptz NOT NULL DEFAULT payouts_now()
);

-- What nobody may do ----------------------------------------------------------------------------
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation',
          HINT = 'append a new row that corrects it';
END $$;
CREATE TRIGGER item_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON item
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER line_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON line
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER item_event_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON item_event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batch_event_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON batch_event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_transfer_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfer
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batch_payload_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON batch_payload
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER evidence_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER provider_payment_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON provider_payment
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A batch is frozen: only the columns that its events move may change.
CREATE FUNCTION batch_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.run_id, NEW.lo, NEW.hi, NEW.provider, NEW.funding, NEW.currency, NEW.items,
      NEW.amount_minor, NEW.funding_id, NEW.reserved_id, NEW.in_transit_id, NEW.paid_id,
      NEW.payload_hash)
     IS DISTINCT FROM
     (OLD.id, OLD.run_id, OLD.lo, OLD.hi, OLD.provider, OLD.funding, OLD.currency, OLD.items,
      OLD.amount_minor, OLD.funding_id, OLD.reserved_id, OLD.in_transit_id, OLD.paid_id,
      OLD.payload_hash) THEN
    RAISE EXCEPTION 'batch % is frozen', OLD.id USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF (NEW.base_state, NEW.base_seq, NEW.base_clouded, NEW.split)
     IS DISTINCT FROM (OLD.base_state, OLD.base_seq, OLD.base_clouded, OLD.split)
     AND pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'the state of batch % moves by events only', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER batch_frozen BEFORE UPDATE ON batch FOR EACH ROW EXECUTE FUNCTION batch_frozen();

-- Kept balances follow the transfers; nobody writes them by hand ----------------------------------
CREATE FUNCTION ledger_balances() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE wrong record;
BEGIN
  SELECT t.id, t.currency INTO wrong FROM appended t
    JOIN ledger_account c ON c.id = t.credit_id JOIN ledger_account d ON d.id = t.debit_id
   WHERE c.currency <> t.currency OR d.currency <> t.currency LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'transfer % is in % but an account of it is not', wrong.id, wrong.currency
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  -- Locked in id order, so that two writers never wait for each other in a circle.
  PERFORM 1 FROM ledger_account WHERE balance_minor IS NOT NULL
    AND id IN (SELECT debit_id FROM appended UNION SELECT credit_id FROM appended)
    ORDER BY id FOR NO KEY UPDATE;
  UPDATE ledger_account a SET balance_minor = a.balance_minor + moved.amount
    FROM (SELECT account, sum(amount)::bigint AS amount FROM (
            SELECT debit_id AS account, amount_minor AS amount FROM appended
            UNION ALL SELECT credit_id, -amount_minor FROM appended) legs
          GROUP BY account) moved
   WHERE a.id = moved.account AND a.balance_minor IS NOT NULL AND moved.amount <> 0;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_balances AFTER INSERT ON ledger_transfer REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_balances();
CREATE FUNCTION ledger_account_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() < 2 OR (NEW.id, NEW.name, NEW.kind, NEW.owner, NEW.currency)
     IS DISTINCT FROM (OLD.id, OLD.name, OLD.kind, OLD.owner, OLD.currency) THEN
    RAISE EXCEPTION 'balances move by transfers only'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_account_guard BEFORE UPDATE ON ledger_account
  FOR EACH ROW EXECUTE FUNCTION ledger_account_guard();

-- Plans inside the guards are cached for a session and made when tables are still small; the
-- settings on them keep every look-up an index probe, however the tables grow.
-- The guard of batch events -----------------------------------------------------------------------
CREATE FUNCTION batch_event_applied() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE wrong record;
BEGIN
  PERFORM 1 FROM batch WHERE id IN (SELECT batch_id FROM appended) ORDER BY id FOR NO KEY UPDATE;
  SELECT e.batch_id, e.seq, e.before, e.after INTO wrong
    FROM appended e
    LEFT JOIN batch b ON b.id = e.batch_id
    LEFT JOIN item_move m ON m.before = e.before AND m.after = e.after
   WHERE b.id IS NULL OR m.before IS NULL OR b.split
      OR e.before <> b.base_state OR e.seq <> b.base_seq + 1
      OR (m.clear AND b.base_clouded) OR (m.evidence AND e.evidence_id IS NULL)
      OR m.single OR (m.clouds AND NOT e.clouded)
      OR (b.base_clouded AND NOT e.clouded AND e.evidence_id IS NULL)
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'batch % may not move from % to % as event %',
      wrong.batch_id, wrong.before, wrong.after, wrong.seq
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  UPDATE batch b SET base_state = e.after, base_seq = e.seq, base_clouded = e.clouded,
                     tries = b.tries + (e.after = 'sending')::int
    FROM appended e WHERE e.batch_id = b.id;
  UPDATE batch_count c
     SET items = CASE WHEN c.state = e.after THEN b.items ELSE 0 END,
         amount_minor = CASE WHEN c.state = e.after THEN b.amount_minor ELSE 0 END
    FROM appended e JOIN batch b ON b.id = e.batch_id
   WHERE c.batch_id = e.batch_id AND c.state IN (e.before, e.after);
  INSERT INTO ledger_transfer
         (posting, credit_id, debit_id, amount_minor, currency, kind, items, run_id, batch_id, at)
  SELECT e.posting,
         CASE m.credit WHEN 'funding' THEN b.funding_id WHEN 'reserved' THEN b.reserved_id
                       WHEN 'in_transit' THEN b.in_transit_id ELSE b.paid_id END,
         CASE m.debit WHEN 'funding' THEN b.funding_id WHEN 'reserved' THEN b.reserved_id
                      WHEN 'in_transit' THEN b.in_transit_id ELSE b.paid_id END,
         b.amount_minor, b.currency, e.before || '>' || e.after, b.items, b.run_id, b.id, e.at
    FROM appended e JOIN batch b ON b.id = e.batch_id
    JOIN item_move m ON m.before = e.before AND m.after = e.after
   WHERE m.credit IS NOT NULL ORDER BY b.id;
  RETURN NULL;
END $$;
CREATE TRIGGER batch_event_applied AFTER INSERT ON batch_event REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION batch_event_applied();

-- The guard of item events: set-based, one pass for however many rows ------------------------------
CREATE FUNCTION item_event_applied() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE wrong record;
BEGIN
  PERFORM 1 FROM batch WHERE id IN (SELECT DISTINCT batch_id FROM appended)
    ORDER BY id FOR NO KEY UPDATE;
  SELECT e.item_id, e.seq, e.before, e.after INTO wrong
    FROM appended e
    LEFT JOIN batch b ON b.id = e.batch_id AND e.item_id BETWEEN b.lo AND b.hi
    LEFT JOIN item_event p ON p.item_id = e.item_id AND p.seq = e.seq - 1
    LEFT JOIN item_move m ON m.before = e.before AND m.after = e.after
   WHERE b.id IS NULL OR m.before IS NULL
      OR CASE WHEN p.item_id IS NULL
              THEN e.seq <> b.base_seq + 1 OR e.before <> b.base_state
              ELSE e.seq <= b.base_seq + 1 OR e.before <> p.after END
      OR (m.clear AND coalesce(p.clouded, b.base_clouded))
      OR (m.evidence AND e.evidence_id IS NULL)
      OR (m.clouds AND NOT e.clouded)
      OR (coalesce(p.clouded, b.base_clouded) AND NOT e.clouded AND e.evidence_id IS NULL)
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'item % may not move from % to % as event %',
      wrong.item_id, wrong.before, wrong.after, wrong.seq
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  UPDATE batch SET split = true
   WHERE NOT split AND id IN (SELECT DISTINCT batch_id FROM appended);
  WITH sums AS MATERIALIZED (
    SELECT e.batch_id, e.posting, e.before, e.after, count(*)::int AS items,
           sum(i.amount_minor)::bigint AS amount, max(e.at) AS at
      FROM appended e JOIN item i ON i.id = e.item_id GROUP BY 1, 2, 3, 4
  ), counted AS (
    UPDATE batch_count c SET items = c.items + d.items, amount_minor = c.amount_minor + d.amount
      FROM (SELECT batch_id, state, sum(items) AS items, sum(amount) AS amount FROM (
              SELECT batch_id, after AS state, items, amount FROM sums
              UNION ALL SELECT batch_id, before, -items, -amount FROM sums) legs
            GROUP BY batch_id, state) d
     WHERE c.batch_id = d.batch_id AND c.state = d.state
  )
  INSERT INTO ledger_transfer
         (posting, credit_id, debit_id, amount_minor, currency, kind, items, run_id, batch_id, at)
  SELECT s.posting,
         CASE m.credit WHEN 'funding' THEN b.funding_id WHEN 'reserved' THEN b.reserved_id
                       WHEN 'in_transit' THEN b.in_transit_id ELSE b.paid_id END,
         CASE m.debit WHEN 'funding' THEN b.funding_id WHEN 'reserved' THEN b.reserved_id
                      WHEN 'in_transit' THEN b.in_transit_id ELSE b.paid_id END,
         s.amount, b.currency, s.before || '>' || s.after, s.items, b.run_id, b.id, s.at
    FROM sums s JOIN batch b ON b.id = s.batch_id
    JOIN item_move m ON m.before = s.before AND m.after = s.after
   WHERE m.credit IS NOT NULL AND NOT m.single ORDER BY b.id;
  IF EXISTS (SELECT FROM appended JOIN item_move m USING (before, after) WHERE m.single) THEN
    INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency, kind, items,
                                 run_id, batch_id, item_id, corrects, at)
    SELECT e.posting,
           CASE m.credit WHEN 'paid' THEN b.paid_id ELSE b.funding_id END,
           CASE m.debit WHEN 'paid' THEN b.paid_id ELSE b.funding_id END,
           i.amount_minor, b.currency, e.before || '>' || e.after, 1, b.run_id, b.id, e.item_id,
           (SELECT t.id FROM item_life p JOIN ledger_transfer t
               ON t.batch_id = p.batch_id AND t.posting = p.posting
              AND t.kind = p.before || '>' || p.after
             WHERE p.item_id = e.item_id AND p.seq < e.seq
             ORDER BY p.seq DESC LIMIT 1), e.at
      FROM appended e JOIN item i ON i.id = e.item_id JOIN batch b ON b.id = e.batch_id
      JOIN item_move m ON m.before = e.before AND m.after = e.after
     WHERE m.single ORDER BY e.item_id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER item_event_applied AFTER INSERT ON item_event REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION item_event_applied();

-- What is true now ---------------------------------------------------------------------------------
CREATE VIEW item_now AS
SELECT i.id, i.batch_id, b.run_id, b.provider, b.funding, b.currency, i.line_id, i.amount_minor,
       i.lines, i.account_last4, i.account_hash, i.wire_prefix,
       coalesce(e.after, b.base_state) AS state, coalesce(e.seq, b.base_seq) AS seq,
       coalesce(e.clouded, b.base_clouded) AS clouded, coalesce(e.tries, b.tries) AS tries,
       e.code,
       CASE WHEN e.item_id IS NULL
            THEN (SELECT x.provider_status FROM batch_event x
                   WHERE x.batch_id = b.id AND x.seq = b.base_seq)
            ELSE e.provider_status END AS provider_status,
       CASE WHEN e.item_id IS NULL
            THEN (SELECT x.due_at FROM batch_event x
                   WHERE x.batch_id = b.id AND x.seq = b.base_seq)
            ELSE e.due_at END AS due_at,
       e.at, e.attempt_id, e.evidence_id
  FROM batch b JOIN item i ON i.batch_id = b.id AND i.id BETWEEN b.lo AND b.hi
  LEFT JOIN LATERAL (SELECT * FROM item_event x WHERE x.item_id = i.id
                      ORDER BY x.seq DESC LIMIT 1) e ON true;

CREATE VIEW item_life AS
SELECT i.id AS item_id, e.batch_id, e.seq, e.before, e.after, e.clouded, e.actor, e.posting,
       e.attempt_id, e.evidence_id, e.code, e.provider_status, e.due_at, e.at
  FROM item i JOIN batch_event e ON e.batch_id = i.batch_id
UNION ALL
SELECT item_id, batch_id, seq, before, after, clouded, actor, posting, attempt_id, evidence_id,
       code, provider_status, due_at, at
  FROM item_event;

CREATE VIEW ledger_balance AS
SELECT a.id, a.name, a.kind, a.owner, a.currency,
       (coalesce((SELECT sum(amount_minor) FROM ledger_transfer WHERE debit_id = a.id), 0)
        - coalesce((SELECT sum(amount_minor) FROM ledger_transfer WHERE credit_id = a.id), 0)
       )::bigint AS balance_minor,
       a.balance_minor AS kept_minor
  FROM ledger_account a;
