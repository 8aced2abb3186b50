-- What nobody may do, continued: the ways around the guards of the first shape.
-- One statement-level trigger wherever many rows are written at once.

-- Money and states begin at nothing: what an INSERT would claim, no transfer or event has moved.
CREATE FUNCTION ledger_account_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.balance_minor > 0 THEN  -- below zero is the CHECK's to refuse
    RAISE EXCEPTION 'a ledger account begins at zero: balances move by transfers only'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_account_begins BEFORE INSERT ON ledger_account
  FOR EACH ROW EXECUTE FUNCTION ledger_account_begins();

CREATE FUNCTION batch_begins() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong bigint;
BEGIN
  SELECT id INTO wrong FROM appended
   WHERE (base_state, base_seq, base_clouded, split, tries)
      IS DISTINCT FROM ('pending'::item_state, 0::smallint, false, false, 0::smallint) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'batch % does not begin as pending: its state moves by events only', wrong
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER batch_begins AFTER INSERT ON batch REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION batch_begins();

CREATE FUNCTION batch_count_begins() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong record;
BEGIN
  SELECT c.batch_id, c.state INTO wrong FROM appended c JOIN batch b ON b.id = c.batch_id
   WHERE (c.items, c.amount_minor) IS DISTINCT FROM
         CASE WHEN c.state = 'pending' THEN (b.items, b.amount_minor) ELSE (0, 0::bigint) END
      OR b.base_seq > 0 OR b.split LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'batch % counts % items by events only', wrong.batch_id, wrong.state
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER batch_count_begins AFTER INSERT ON batch_count REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION batch_count_begins();
CREATE FUNCTION batch_count_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'a batch counts its items by events only'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER batch_count_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON batch_count
  FOR EACH STATEMENT EXECUTE FUNCTION batch_count_guard();

-- Rows that are never taken away, and those that are written once.
CREATE TRIGGER item_move_immutable BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON item_move
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payer_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON payer
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER approval_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON approval
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_account_kept BEFORE DELETE OR TRUNCATE ON ledger_account
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batch_kept BEFORE DELETE OR TRUNCATE ON batch
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attempt_kept BEFORE DELETE OR TRUNCATE ON attempt
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER hold_kept BEFORE DELETE OR TRUNCATE ON hold
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER pipeline_run_kept BEFORE DELETE OR TRUNCATE ON pipeline_run
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A run's claim on its bytes and what was found in them is written by its load and then stays (P3).
CREATE FUNCTION pipeline_run_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.payer_id, NEW.source_sha256, NEW.source_bytes, NEW.funding, NEW.period,
      NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.payer_id, OLD.source_sha256, OLD.source_bytes, OLD.funding, OLD.period,
      OLD.created_at)
     OR OLD.counts <> '{}' AND (NEW.counts, NEW.totals, NEW.lines_read, NEW.line_lo, NEW.line_hi)
     IS DISTINCT FROM (OLD.counts, OLD.totals, OLD.lines_read, OLD.line_lo, OLD.line_hi)
     OR OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at THEN
    RAISE EXCEPTION 'what run % was loaded from stays', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER pipeline_run_frozen BEFORE UPDATE ON pipeline_run
  FOR EACH ROW EXECUTE FUNCTION pipeline_run_frozen();

CREATE OR REPLACE FUNCTION batch_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.run_id, NEW.lo, NEW.hi, NEW.provider, NEW.funding, NEW.currency, NEW.due_date,
      NEW.items, NEW.amount_minor, NEW.funding_id, NEW.reserved_id, NEW.in_transit_id, NEW.paid_id,
      NEW.payload_hash)
     IS DISTINCT FROM
     (OLD.id, OLD.run_id, OLD.lo, OLD.hi, OLD.provider, OLD.funding, OLD.currency, OLD.due_date,
      OLD.items, OLD.amount_minor, OLD.funding_id, OLD.reserved_id, OLD.in_transit_id, OLD.paid_id,
      OLD.payload_hash) THEN
    RAISE EXCEPTION 'batch % is frozen', OLD.id USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF (NEW.base_state, NEW.base_seq, NEW.base_clouded, NEW.split, NEW.tries)
     IS DISTINCT FROM (OLD.base_state, OLD.base_seq, OLD.base_clouded, OLD.split, OLD.tries)
     AND pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'the state of batch % moves by events only', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;

-- An attempt says what was sent; only that it ended, and how, is added, once. A lease may be renewed.
CREATE FUNCTION attempt_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.batch_id, NEW.number, NEW.members, NEW.items, NEW.key, NEW.request_hash,
      NEW.worker, NEW.fence, NEW.opened_at, NEW.send_by)
     IS DISTINCT FROM
     (OLD.id, OLD.batch_id, OLD.number, OLD.members, OLD.items, OLD.key, OLD.request_hash,
      OLD.worker, OLD.fence, OLD.opened_at, OLD.send_by)
     OR OLD.closed_at IS NOT NULL THEN
    RAISE EXCEPTION 'attempt % was sent as it is', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER attempt_frozen BEFORE UPDATE ON attempt
  FOR EACH ROW EXECUTE FUNCTION attempt_frozen();

-- A hold ends once and is otherwise as it was opened. The batch of an item whose hold ends gets its
-- due time back, which does not count what is held.
CREATE FUNCTION hold_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.released_at IS NOT NULL OR NEW.released_at IS NULL
     OR (NEW.id, NEW.run_id, NEW.item_id, NEW.reason, NEW.detail, NEW.opened_at, NEW.opened_by)
        IS DISTINCT FROM
        (OLD.id, OLD.run_id, OLD.item_id, OLD.reason, OLD.detail, OLD.opened_at, OLD.opened_by) THEN
    RAISE EXCEPTION 'hold % can only end, once', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.item_id IS NOT NULL THEN
    UPDATE batch b SET send_at = CASE WHEN b.split THEN
             (SELECT min(n.due_at) FROM item_now n
               WHERE n.batch_id = b.id AND n.state IN ('approved', 'unknown'))
           WHEN b.base_state IN ('approved', 'unknown') THEN
             (SELECT e.due_at FROM batch_event e
               WHERE e.batch_id = b.id AND e.seq = b.base_seq) END
      FROM item i WHERE i.id = NEW.item_id AND b.id = i.batch_id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER hold_ends BEFORE UPDATE ON hold FOR EACH ROW EXECUTE FUNCTION hold_ends();

-- Grounds of a move: the evidence that it names is there and is about it (P5), and what is sent has
-- an open attempt that it is a member of (P4).
CREATE FUNCTION item_event_grounds() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE wrong record;
BEGIN
  SELECT e.evidence_id, e.batch_id INTO wrong
    FROM (SELECT DISTINCT evidence_id, batch_id FROM appended WHERE evidence_id IS NOT NULL) e
    LEFT JOIN evidence v ON v.id = e.evidence_id
   WHERE v.id IS NULL OR v.batch_id <> e.batch_id LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'evidence % is not there or not about batch %', wrong.evidence_id,
      wrong.batch_id USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  SELECT e.item_id INTO wrong FROM appended e
    LEFT JOIN attempt a ON a.id = e.attempt_id AND a.batch_id = e.batch_id AND a.closed_at IS NULL
   WHERE e.after = 'sending'
     AND (a.id IS NULL OR a.members IS NULL OR NOT e.item_id = ANY (a.members)) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'item % is not a member of an open attempt', wrong.item_id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER item_event_grounds AFTER INSERT ON item_event REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION item_event_grounds();

CREATE FUNCTION batch_event_grounds() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE wrong record;
BEGIN
  SELECT e.batch_id INTO wrong FROM appended e LEFT JOIN evidence v ON v.id = e.evidence_id
   WHERE e.evidence_id IS NOT NULL AND (v.id IS NULL OR v.batch_id <> e.batch_id) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the evidence is not there or not about batch %', wrong.batch_id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  SELECT e.batch_id INTO wrong FROM appended e
    LEFT JOIN attempt a ON a.id = e.attempt_id AND a.batch_id = e.batch_id AND a.closed_at IS NULL
   WHERE e.after = 'sending' AND (a.id IS NULL OR a.members IS NOT NULL) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'batch % has no open attempt of all its items', wrong.batch_id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER batch_event_grounds AFTER INSERT ON batch_event REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION batch_event_grounds();
