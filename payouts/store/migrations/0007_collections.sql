-- Collections: money that somebody is asked to pay in by a link, and what became of it.

-- What was asked for. Only when it is looked at next, and how often it was, moves on.
CREATE TABLE collection (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider text NOT NULL,
  funding text NOT NULL,       -- the funding account that the money goes to
  currency text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  run_id bigint REFERENCES pipeline_run,  -- the run that it was asked for, if there is one
  key text NOT NULL UNIQUE,    -- our reference at the platform, drawn at random
  description text NOT NULL,
  actor text NOT NULL,
  ends_at timestamptz NOT NULL,  -- when its link ends, by what was asked for
  created_at timestamptz NOT NULL DEFAULT payouts_now(),
  look_at timestamptz,
  looks smallint NOT NULL DEFAULT 0
);
CREATE INDEX collection_look ON collection (look_at) WHERE look_at IS NOT NULL;

CREATE FUNCTION collection_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.provider, NEW.funding, NEW.currency, NEW.amount_minor, NEW.run_id, NEW.key,
      NEW.description, NEW.actor, NEW.ends_at, NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.provider, OLD.funding, OLD.currency, OLD.amount_minor, OLD.run_id, OLD.key,
      OLD.description, OLD.actor, OLD.ends_at, OLD.created_at) THEN
    RAISE EXCEPTION 'collection % stays as it was asked for', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER collection_frozen BEFORE UPDATE ON collection
  FOR EACH ROW EXECUTE FUNCTION collection_frozen();
CREATE TRIGGER collection_kept BEFORE DELETE OR TRUNCATE ON collection
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- One request that creates a payment, on disk before it is sent (P4). At most one may ever have
-- been made: a second attempt needs the proof that the first was not executed.
CREATE TABLE collection_attempt (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  collection_id bigint NOT NULL REFERENCES collection,
  number smallint NOT NULL,
  request_hash bytea NOT NULL,
  fence bigint NOT NULL DEFAULT nextval('fence_seq'),
  opened_at timestamptz NOT NULL DEFAULT payouts_now(),
  send_by timestamptz NOT NULL,
  lease_until timestamptz NOT NULL,
  closed_at timestamptz,
  outcome text,
  http_status smallint,
  UNIQUE (collection_id, number)
);
CREATE FUNCTION collection_attempt_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM collection WHERE id = NEW.collection_id FOR NO KEY UPDATE;
  IF EXISTS (SELECT FROM collection_attempt a WHERE a.collection_id = NEW.collection_id
              AND (a.closed_at IS NULL OR a.outcome IS DISTINCT FROM 'not_executed'))
     OR EXISTS (SELECT FROM collection_event e WHERE e.collection_id = NEW.collection_id) THEN
    RAISE EXCEPTION 'collection % was sent already, and may have been made', NEW.collection_id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER collection_attempt_begins BEFORE INSERT ON collection_attempt
  FOR EACH ROW EXECUTE FUNCTION collection_attempt_begins();
CREATE FUNCTION collection_attempt_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.closed_at IS NOT NULL
     OR (NEW.id, NEW.collection_id, NEW.number, NEW.request_hash, NEW.fence, NEW.opened_at,
         NEW.send_by, NEW.lease_until)
        IS DISTINCT FROM
        (OLD.id, OLD.collection_id, OLD.number, OLD.request_hash, OLD.fence, OLD.opened_at,
         OLD.send_by, OLD.lease_until) THEN
    RAISE EXCEPTION 'collection attempt % was sent as it is', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER collection_attempt_frozen BEFORE UPDATE ON collection_attempt
  FOR EACH ROW EXECUTE FUNCTION collection_attempt_frozen();
CREATE TRIGGER collection_attempt_kept BEFORE DELETE OR TRUNCATE ON collection_attempt
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The life of a collection: appended. It begins as `opening`; the same arrows as
-- payouts/core/collections.py, a test compares them.
CREATE TABLE collection_event (
  collection_id bigint NOT NULL REFERENCES collection,
  seq smallint NOT NULL,
  before text NOT NULL,
  after text NOT NULL,
  actor text NOT NULL,
  code text,
  provider_ref text,
  provider_status text,
  link text,
  evidence_id bigint REFERENCES evidence,
  posting bigint,
  at timestamptz NOT NULL DEFAULT payouts_now(),
  PRIMARY KEY (collection_id, seq),
  CHECK ((after = 'paid') = (posting IS NOT NULL)),
  CHECK (after <> 'open' OR provider_ref IS NOT NULL)
);
CREATE UNIQUE INDEX collection_event_posting ON collection_event (posting) WHERE posting IS NOT NULL;
CREATE UNIQUE INDEX collection_event_ref ON collection_event (provider_ref) WHERE after = 'open';
CREATE TABLE collection_move (before text NOT NULL, after text NOT NULL, PRIMARY KEY (before, after));
INSERT INTO collection_move VALUES
  ('opening', 'open'), ('opening', 'unclear'), ('opening', 'refused'),
  ('unclear', 'open'), ('unclear', 'expired'),
  ('open', 'paid'), ('open', 'failed'), ('open', 'expired'), ('open', 'review'),
  ('review', 'paid'), ('review', 'failed'), ('review', 'expired'),
  ('failed', 'paid'), ('failed', 'review'),
  ('expired', 'open'), ('expired', 'paid'), ('expired', 'review');
CREATE TRIGGER collection_move_immutable BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE
  ON collection_move FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION collection_event_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE asked record; last record;
BEGIN
  SELECT * INTO asked FROM collection WHERE id = NEW.collection_id FOR NO KEY UPDATE;
  SELECT seq, after INTO last FROM collection_event WHERE collection_id = NEW.collection_id
    ORDER BY seq DESC LIMIT 1;
  IF NEW.seq <> coalesce(last.seq, 0) + 1 OR NEW.before <> coalesce(last.after, 'opening')
     OR NOT EXISTS (SELECT FROM collection_move WHERE before = NEW.before AND after = NEW.after) THEN
    RAISE EXCEPTION 'collection % may not move from % to % as event %', NEW.collection_id,
      NEW.before, NEW.after, NEW.seq USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.after IN ('paid', 'failed') AND NEW.evidence_id IS NULL THEN
    RAISE EXCEPTION 'collection % is % by evidence only', NEW.collection_id, NEW.after
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  -- Money comes with the move and never without it: once, all of it, into the account asked for.
  IF NEW.posting IS NOT NULL AND NOT EXISTS (
       SELECT FROM ledger_transfer t JOIN ledger_account f ON f.id = t.debit_id
        WHERE t.posting = NEW.posting AND t.kind = 'collect' AND f.kind = 'funding'
          AND f.owner = asked.funding AND t.currency = asked.currency
          AND t.amount_minor = asked.amount_minor) THEN
    RAISE EXCEPTION 'collection % is paid without its money', NEW.collection_id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER collection_event_guard BEFORE INSERT ON collection_event
  FOR EACH ROW EXECUTE FUNCTION collection_event_guard();
CREATE TRIGGER collection_event_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON collection_event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE VIEW collection_now AS
SELECT c.*, coalesce(e.after, 'opening') AS state, coalesce(e.seq, 0::smallint) AS seq,
       o.provider_ref, o.link, e.provider_status, e.code, coalesce(e.at, c.created_at) AS since
  FROM collection c
  LEFT JOIN LATERAL (SELECT * FROM collection_event x WHERE x.collection_id = c.id
                      ORDER BY x.seq DESC LIMIT 1) e ON true
  LEFT JOIN LATERAL (SELECT * FROM collection_event x WHERE x.collection_id = c.id
                      AND x.after = 'open' ORDER BY x.seq DESC LIMIT 1) o ON true;
