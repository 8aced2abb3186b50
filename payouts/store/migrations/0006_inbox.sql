-- The inbox of webhooks: what a platform told us, verified, stored before it was answered, and
-- applied later. A row is never taken away before `keep_until`, and what was received never changes.
CREATE SEQUENCE webhook_seq;
CREATE TABLE webhook_inbox (
  id bigint PRIMARY KEY DEFAULT nextval('webhook_seq'),
  provider text NOT NULL,
  event_id text NOT NULL,          -- the platform's, else type and id, else the hash of the body
  sha256 bytea NOT NULL,           -- of the raw body
  bytes integer NOT NULL,
  key_id text NOT NULL,            -- the body, sealed: it may name a payee and an account
  data_key bytea NOT NULL,
  body bytea NOT NULL,
  received_at timestamptz NOT NULL DEFAULT payouts_now(),
  keep_until timestamptz NOT NULL DEFAULT payouts_now() + interval '400 days',
  state text NOT NULL DEFAULT 'new'
    CHECK (state IN ('new', 'orphan', 'applied', 'recorded', 'poisoned')),
  tries smallint NOT NULL DEFAULT 0,
  due_at timestamptz DEFAULT payouts_now(),  -- when it is looked at (again); null: never
  name text,                       -- the platform's word for it
  provider_ref text,               -- the platform's id of what it is about
  item_id bigint,                  -- the item that it was about
  error text,                      -- why it is poisoned, or what it waits for
  done_at timestamptz,
  CHECK ((state IN ('new', 'orphan')) = (due_at IS NOT NULL)),
  CHECK ((state IN ('applied', 'recorded', 'poisoned')) = (done_at IS NOT NULL)),
  -- P11: the same event, in any order and however often, is one row.
  UNIQUE (provider, event_id)
);
CREATE INDEX webhook_inbox_due ON webhook_inbox (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_inbox_item ON webhook_inbox (item_id) WHERE item_id IS NOT NULL;

CREATE FUNCTION webhook_inbox_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.provider, NEW.event_id, NEW.sha256, NEW.bytes, NEW.received_at)
     IS DISTINCT FROM
     (OLD.id, OLD.provider, OLD.event_id, OLD.sha256, OLD.bytes, OLD.received_at)
     OR NEW.keep_until < OLD.keep_until THEN
    RAISE EXCEPTION 'webhook % was received as it is', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.done_at IS NOT NULL AND OLD.state <> 'poisoned' AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION 'webhook % was applied', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER webhook_inbox_frozen BEFORE UPDATE ON webhook_inbox
  FOR EACH ROW EXECUTE FUNCTION webhook_inbox_frozen();
CREATE FUNCTION webhook_inbox_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' OR OLD.keep_until > payouts_now() THEN
    RAISE EXCEPTION 'webhooks are kept so that a replay finds them'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER webhook_inbox_kept BEFORE DELETE ON webhook_inbox
  FOR EACH ROW EXECUTE FUNCTION webhook_inbox_kept();
CREATE TRIGGER webhook_inbox_whole BEFORE TRUNCATE ON webhook_inbox
  FOR EACH STATEMENT EXECUTE FUNCTION webhook_inbox_kept();
