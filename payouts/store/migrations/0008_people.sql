-- What people decide: cancels, resolutions, and the start on a restored backup.

-- Cancels -------------------------------------------------------------------------------------------
-- Written under the lock of the batches it covers and never forgotten: nothing that an open request
-- covers is sent or sent again (P14). It ends once, when every item it covers is final.
CREATE TABLE cancel_request (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id bigint NOT NULL REFERENCES pipeline_run,
  item_id bigint,              -- null: every item of the run
  reason text NOT NULL,
  actor text NOT NULL,
  asked_at timestamptz NOT NULL DEFAULT payouts_now(),
  done_at timestamptz,
  outcome text,                -- what became of the items, e.g. 'cancelled' or '3 cancelled, 1 settled'
  CHECK ((done_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX cancel_request_open ON cancel_request (run_id, item_id) NULLS NOT DISTINCT
  WHERE done_at IS NULL;

-- One request to a provider to cancel one payment, on disk before it is sent (P4). It closes once;
-- what the provider did is decided by a look, whatever the answer was.
CREATE TABLE cancel_attempt (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_id bigint NOT NULL REFERENCES cancel_request,
  item_id bigint NOT NULL,
  number smallint NOT NULL,
  fence bigint NOT NULL DEFAULT nextval('fence_seq'),
  opened_at timestamptz NOT NULL DEFAULT payouts_now(),
  send_by timestamptz NOT NULL,
  closed_at timestamptz,
  outcome text,
  http_status smallint,
  UNIQUE (item_id, number)
);
CREATE INDEX cancel_attempt_open ON cancel_attempt (item_id) WHERE closed_at IS NULL;

CREATE FUNCTION cancel_request_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.done_at IS NOT NULL OR NEW.done_at IS NULL
     OR (NEW.id, NEW.run_id, NEW.item_id, NEW.reason, NEW.actor, NEW.asked_at)
        IS DISTINCT FROM (OLD.id, OLD.run_id, OLD.item_id, OLD.reason, OLD.actor, OLD.asked_at) THEN
    RAISE EXCEPTION 'cancel request % can only end, once', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER cancel_request_ends BEFORE UPDATE ON cancel_request
  FOR EACH ROW EXECUTE FUNCTION cancel_request_ends();
CREATE TRIGGER cancel_request_kept BEFORE DELETE OR TRUNCATE ON cancel_request
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION cancel_attempt_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.closed_at IS NOT NULL
     OR (NEW.id, NEW.request_id, NEW.item_id, NEW.number, NEW.fence, NEW.opened_at, NEW.send_by)
        IS DISTINCT FROM
        (OLD.id, OLD.request_id, OLD.item_id, OLD.number, OLD.fence, OLD.opened_at, OLD.send_by) THEN
    RAISE EXCEPTION 'cancel attempt % was sent as it is', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER cancel_attempt_frozen BEFORE UPDATE ON cancel_attempt
  FOR EACH ROW EXECUTE FUNCTION cancel_attempt_frozen();
CREATE TRIGGER cancel_attempt_kept BEFORE DELETE OR TRUNCATE ON cancel_attempt
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Resolutions ---------------------------------------------------------------------------------------
-- What two different people decide about items in review. The first proposes, the second applies;
-- both say why, and what they saw. It is about the items as they stood at the proposal.
CREATE TABLE resolution (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  item_id bigint,
  batch_id bigint,             -- instead of an item: everything of the batch that was in review
  members bigint[] NOT NULL,   -- the items, in key order
  seqs smallint[] NOT NULL,    -- the number of each one's last event
  decision text NOT NULL CHECK (decision IN ('approved', 'failed', 'settled')),
  reason text NOT NULL CHECK (reason <> ''),
  evidence text NOT NULL CHECK (evidence <> ''),
  first_actor text NOT NULL,
  first_at timestamptz NOT NULL DEFAULT payouts_now(),
  second_actor text,
  second_reason text,
  second_evidence text,
  second_at timestamptz,
  applied_at timestamptz,
  withdrawn_by text,
  withdrawn_at timestamptz,
  CHECK (num_nonnulls(item_id, batch_id) = 1),
  CHECK (cardinality(members) BETWEEN 1 AND 500 AND cardinality(members) = cardinality(seqs)),
  CONSTRAINT resolution_two_people CHECK (lower(second_actor) <> lower(first_actor)),
  CHECK ((second_actor IS NULL) = (second_at IS NULL)
         AND (second_actor IS NULL) = (applied_at IS NULL)
         AND (second_actor IS NULL) = (second_reason IS NULL)),
  CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL)),
  CHECK (applied_at IS NULL OR withdrawn_at IS NULL)
);
CREATE UNIQUE INDEX resolution_open ON resolution (item_id, batch_id) NULLS NOT DISTINCT
  WHERE applied_at IS NULL AND withdrawn_at IS NULL;

CREATE FUNCTION resolution_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.applied_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL
     OR (NEW.id, NEW.item_id, NEW.batch_id, NEW.members, NEW.seqs, NEW.decision, NEW.reason,
         NEW.evidence, NEW.first_actor, NEW.first_at)
        IS DISTINCT FROM
        (OLD.id, OLD.item_id, OLD.batch_id, OLD.members, OLD.seqs, OLD.decision, OLD.reason,
         OLD.evidence, OLD.first_actor, OLD.first_at) THEN
    RAISE EXCEPTION 'resolution % stays as it was proposed', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER resolution_frozen BEFORE UPDATE ON resolution
  FOR EACH ROW EXECUTE FUNCTION resolution_frozen();
CREATE TRIGGER resolution_kept BEFORE DELETE OR TRUNCATE ON resolution
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The start on a restored backup (P22) ---------------------------------------------------------------
-- Raised in the database and in a file beside it; a database that is behind its file was restored.
ALTER TABLE installation ADD COLUMN generation bigint NOT NULL DEFAULT 0;

-- Until two different people have confirmed, nothing is sent to `provider`; where it knows our keys,
-- nothing after `allowed_until`, when it may have forgotten those of payments that we do not know.
CREATE TABLE restoration (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider text NOT NULL,
  generation bigint NOT NULL,      -- of the database as it was found
  expected bigint NOT NULL,        -- of the file beside it
  since timestamptz NOT NULL,      -- the last moment that the backup knows of
  allowed_until timestamptz,
  noticed_at timestamptz NOT NULL DEFAULT payouts_now(),
  first_actor text,
  first_reason text,
  first_at timestamptz,
  second_actor text,
  second_reason text,
  second_at timestamptz,
  CHECK ((first_actor IS NULL) = (first_at IS NULL)
         AND (second_actor IS NULL) = (second_at IS NULL)),
  CHECK (second_actor IS NULL OR first_actor IS NOT NULL),
  CONSTRAINT restoration_two_people CHECK (lower(second_actor) <> lower(first_actor))
);
CREATE UNIQUE INDEX restoration_open ON restoration (provider, id) WHERE second_at IS NULL;
CREATE VIEW restoration_blocks AS
SELECT * FROM restoration
 WHERE second_at IS NULL AND (allowed_until IS NULL OR allowed_until <= payouts_now());

CREATE FUNCTION restoration_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.second_at IS NOT NULL
     OR (NEW.id, NEW.provider, NEW.generation, NEW.expected, NEW.since, NEW.allowed_until,
         NEW.noticed_at)
        IS DISTINCT FROM
        (OLD.id, OLD.provider, OLD.generation, OLD.expected, OLD.since, OLD.allowed_until,
         OLD.noticed_at)
     OR OLD.first_at IS NOT NULL
        AND (NEW.first_actor, NEW.first_reason, NEW.first_at)
            IS DISTINCT FROM (OLD.first_actor, OLD.first_reason, OLD.first_at) THEN
    RAISE EXCEPTION 'restoration % is confirmed by two people and otherwise stays', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER restoration_frozen BEFORE UPDATE ON restoration
  FOR EACH ROW EXECUTE FUNCTION restoration_frozen();
CREATE TRIGGER restoration_kept BEFORE DELETE OR TRUNCATE ON restoration
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Pauses ---------------------------------------------------------------------------------------------
-- A row with the funding account '*' pauses every lane of its provider, also those to come: they get
-- their own row with their first batch.
ALTER TABLE lane ADD COLUMN paused_by text;

CREATE FUNCTION lane_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO lane (provider, funding, paused_at, reason, paused_by)
  SELECT DISTINCT a.provider, a.funding, l.paused_at, l.reason, l.paused_by
    FROM lane l JOIN appended a ON a.provider = l.provider
   WHERE l.funding = '*' AND l.paused_at IS NOT NULL
  ON CONFLICT (provider, funding) DO UPDATE
     SET paused_at = excluded.paused_at, reason = excluded.reason, paused_by = excluded.paused_by
   WHERE lane.paused_at IS NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER lane_begins AFTER INSERT ON batch REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION lane_begins();

CREATE FUNCTION lane_stays_paused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.paused_at IS NOT NULL AND NEW.paused_at IS NULL
     AND EXISTS (SELECT FROM restoration_blocks r WHERE r.provider = NEW.provider)
  THEN
    RAISE EXCEPTION 'the lane %/% waits for two people after a restored backup',
      NEW.provider, NEW.funding USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER lane_stays_paused BEFORE UPDATE ON lane
  FOR EACH ROW EXECUTE FUNCTION lane_stays_paused();

-- What a person did to a run, an item or a lane, and why; the rows themselves say what is so now.
CREATE TABLE control_action (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  action text NOT NULL,        -- hold, release, pause, resume, withdraw …
  subject text NOT NULL,       -- a public id, or provider/funding
  reason text NOT NULL CHECK (reason <> ''),
  actor text NOT NULL,
  at timestamptz NOT NULL DEFAULT payouts_now()
);
CREATE INDEX control_action_subject ON control_action (subject);
CREATE TRIGGER control_action_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON control_action
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The last line: whatever the program believed, none of this leaves ------------------------------------
CREATE FUNCTION item_event_may_leave() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE wrong bigint;
BEGIN
  IF EXISTS (SELECT FROM cancel_request WHERE done_at IS NULL) THEN
    SELECT e.item_id INTO wrong FROM appended e JOIN batch b ON b.id = e.batch_id
      JOIN cancel_request c ON c.run_id = b.run_id AND c.done_at IS NULL
       AND (c.item_id IS NULL OR c.item_id = e.item_id)
     WHERE e.after = 'sending' LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'item % is asked to be cancelled and is not sent', wrong
        USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  IF EXISTS (SELECT FROM restoration_blocks) THEN
    SELECT e.item_id INTO wrong FROM appended e JOIN batch b ON b.id = e.batch_id
      JOIN restoration_blocks r ON r.provider = b.provider
     WHERE e.after = 'sending' LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'item % is not sent: two people confirm the restored backup first', wrong
        USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER item_event_may_leave AFTER INSERT ON item_event REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION item_event_may_leave();

CREATE FUNCTION batch_event_may_leave() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE wrong bigint;
BEGIN
  IF EXISTS (SELECT FROM cancel_request WHERE done_at IS NULL) THEN
    SELECT b.id INTO wrong FROM appended e JOIN batch b ON b.id = e.batch_id
      JOIN cancel_request c ON c.run_id = b.run_id AND c.done_at IS NULL
       AND (c.item_id IS NULL OR c.item_id BETWEEN b.lo AND b.hi)
     WHERE e.after = 'sending' LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'an item of batch % is asked to be cancelled and is not sent', wrong
        USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  IF EXISTS (SELECT FROM restoration_blocks) THEN
    SELECT b.id INTO wrong FROM appended e JOIN batch b ON b.id = e.batch_id
      JOIN restoration_blocks r ON r.provider = b.provider
     WHERE e.after = 'sending' LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'batch % is not sent: two people confirm the restored backup first', wrong
        USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER batch_event_may_leave AFTER INSERT ON batch_event REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION batch_event_may_leave();
