-- What the engine counts apart, and with which account of ours an attempt was sent.

-- A lane takes the looks that are due, whichever batch they are about.
CREATE INDEX look_request_due ON look_request (due_at);

-- "Not found" counts only when it was said twice, apart (P5).
ALTER TABLE look_request
  ADD COLUMN missing smallint NOT NULL DEFAULT 0,
  ADD COLUMN missing_at timestamptz;      -- when it was first said and counted

-- A provider knows our keys per account of ours: with other credentials they are other keys.
ALTER TABLE attempt ADD COLUMN account_fingerprint text;

-- Sends by kind: `tries` are all of them; `put_offs` those proven not executed because the provider
-- wanted them later, `resends` those made under the same key after an unclear answer.
ALTER TABLE batch_event
  ADD COLUMN put_offs smallint NOT NULL DEFAULT 0,
  ADD COLUMN resends smallint NOT NULL DEFAULT 0;
ALTER TABLE item_event
  ADD COLUMN put_offs smallint NOT NULL DEFAULT 0,
  ADD COLUMN resends smallint NOT NULL DEFAULT 0;

CREATE OR REPLACE FUNCTION attempt_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.batch_id, NEW.number, NEW.members, NEW.items, NEW.key, NEW.request_hash,
      NEW.worker, NEW.fence, NEW.opened_at, NEW.send_by, NEW.account_fingerprint)
     IS DISTINCT FROM
     (OLD.id, OLD.batch_id, OLD.number, OLD.members, OLD.items, OLD.key, OLD.request_hash,
      OLD.worker, OLD.fence, OLD.opened_at, OLD.send_by, OLD.account_fingerprint)
     OR OLD.closed_at IS NOT NULL THEN
    RAISE EXCEPTION 'attempt % was sent as it is', OLD.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE VIEW item_now AS
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
       e.at, e.attempt_id, e.evidence_id,
       coalesce(CASE WHEN e.item_id IS NULL
            THEN (SELECT x.put_offs FROM batch_event x
                   WHERE x.batch_id = b.id AND x.seq = b.base_seq)
            ELSE e.put_offs END, 0::smallint) AS put_offs,
       coalesce(CASE WHEN e.item_id IS NULL
            THEN (SELECT x.resends FROM batch_event x
                   WHERE x.batch_id = b.id AND x.seq = b.base_seq)
            ELSE e.resends END, 0::smallint) AS resends
  FROM batch b JOIN item i ON i.batch_id = b.id AND i.id BETWEEN b.lo AND b.hi
  LEFT JOIN LATERAL (SELECT * FROM item_event x WHERE x.item_id = i.id
                      ORDER BY x.seq DESC LIMIT 1) e ON true;

-- As in the first shape, but the transfer that a single move corrects is never a neighbour's: two
-- items of a batch may have made single moves under one posting.
CREATE OR REPLACE FUNCTION item_event_applied() RETURNS trigger LANGUAGE plpgsql
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
              AND (t.item_id IS NULL OR t.item_id = e.item_id)
             WHERE p.item_id = e.item_id AND p.seq < e.seq
             ORDER BY p.seq DESC LIMIT 1), e.at
      FROM appended e JOIN item i ON i.id = e.item_id JOIN batch b ON b.id = e.batch_id
      JOIN item_move m ON m.before = e.before AND m.after = e.after
     WHERE m.single ORDER BY e.item_id;
  END IF;
  RETURN NULL;
END $$;
