-- What a load writes is whole: its batches have exactly their items, its lines are all there, and
-- both are worth the same. And lines are identified for ever as the installation began to.

ALTER TABLE installation ADD COLUMN identity_version smallint NOT NULL DEFAULT 1;
CREATE FUNCTION installation_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.identity_version <> OLD.identity_version THEN
    RAISE EXCEPTION 'lines that were paid would look new: the version of identities stays'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER installation_stays BEFORE UPDATE ON installation
  FOR EACH ROW EXECUTE FUNCTION installation_stays();

-- The items of a batch come in one statement. Keys are unique, so as many as the range has, from
-- its first to its last, are exactly the range. Lines have keys in the range of their run.
CREATE FUNCTION item_whole() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE wrong bigint;
BEGIN
  SELECT i.batch_id INTO wrong
    FROM (SELECT batch_id, count(*) AS items, sum(amount_minor) AS amount, min(id) AS lo,
                 max(id) AS hi, min(line_id) AS line_lo, max(line_id) AS line_hi
            FROM appended GROUP BY batch_id) i
    LEFT JOIN batch b ON b.id = i.batch_id LEFT JOIN pipeline_run r ON r.id = b.run_id
   WHERE b.id IS NULL OR i.items <> b.items OR i.amount <> b.amount_minor OR i.lo <> b.lo
      OR i.hi <> b.hi OR i.line_lo < r.line_lo OR i.line_hi > r.line_hi LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'batch % does not have exactly the items and the amount that it says', wrong
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER item_whole AFTER INSERT ON item REFERENCING NEW TABLE AS appended
  FOR EACH STATEMENT EXECUTE FUNCTION item_whole();

-- The end of a load: every key of the run's range is a line of it, outcomes are as many as counted,
-- and accepted lines, batches and the run's totals agree per currency (P2).
CREATE FUNCTION pipeline_run_whole() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off AS $$
DECLARE wrong text;
BEGIN
  WITH found AS MATERIALIZED (
    SELECT outcome, currency, count(*) AS lines, sum(amount_minor) AS amount FROM line
     WHERE id BETWEEN NEW.line_lo AND NEW.line_hi AND run_id = NEW.id GROUP BY 1, 2
  ), worth AS (
    SELECT currency, sum(amount_minor) AS amount, sum(items) AS items,
           bool_and(EXISTS (SELECT FROM item i WHERE i.id = b.lo AND i.batch_id = b.id)) AS there
      FROM batch b WHERE run_id = NEW.id GROUP BY 1
  )
  SELECT CASE
    WHEN NEW.lines_read <> NEW.line_hi - NEW.line_lo + 1
         OR NEW.lines_read IS DISTINCT FROM (SELECT sum(lines) FROM found) THEN 'lines'
    WHEN EXISTS (SELECT FROM (SELECT outcome, sum(lines) AS lines FROM found GROUP BY 1) f
                   FULL JOIN jsonb_each_text(NEW.counts) c ON c.key = f.outcome::text
                  WHERE f.lines IS DISTINCT FROM c.value::bigint) THEN 'outcomes'
    WHEN EXISTS (SELECT FROM (SELECT * FROM found WHERE outcome = 'accepted') f
                   FULL JOIN jsonb_each_text(NEW.totals) t ON t.key = f.currency
                   FULL JOIN worth w ON w.currency = coalesce(f.currency, t.key)
                  WHERE f.amount IS DISTINCT FROM t.value::bigint
                     OR f.amount IS DISTINCT FROM w.amount OR NOT w.there) THEN 'amounts'
    END INTO wrong;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the % of run % are not those of its lines and batches', wrong, NEW.id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER pipeline_run_whole AFTER UPDATE ON pipeline_run FOR EACH ROW
  WHEN (OLD.counts = '{}' AND NEW.counts <> '{}') EXECUTE FUNCTION pipeline_run_whole();
CREATE TRIGGER pipeline_run_begins AFTER INSERT ON pipeline_run FOR EACH ROW
  WHEN (NEW.counts <> '{}') EXECUTE FUNCTION pipeline_run_whole();
