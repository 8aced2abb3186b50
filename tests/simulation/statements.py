"""What a schedule asks the database: what is being sent, and when something is due."""

from __future__ import annotations

__all__ = ["NEXT", "SENDING"]

SENDING = """
SELECT n.state::text, EXISTS (SELECT FROM attempt a WHERE a.batch_id = n.batch_id
         AND a.closed_at IS NULL AND (a.members IS NULL OR n.id = ANY (a.members)))
  FROM item_now n JOIN line l ON l.item_id = n.id AND l.outcome = 'accepted'
 WHERE n.funding = :funding AND n.wire_prefix = ANY (:prefixes) ORDER BY n.id
"""

NEXT = """
SELECT extract(epoch FROM min(at) - payouts_now())::float8 FROM (
  SELECT min(b.send_at) AS at FROM batch b WHERE b.funding = :funding AND NOT EXISTS (
    SELECT FROM lane l WHERE l.provider = b.provider AND l.funding = b.funding
       AND l.paused_at IS NOT NULL)
  UNION ALL SELECT min(check_at) FROM batch WHERE funding = :funding
  UNION ALL SELECT min(r.due_at) FROM look_request r JOIN batch b ON b.id = r.batch_id
    WHERE b.funding = :funding
  UNION ALL SELECT payouts_now() + interval '1 hour' FROM cancel_request c
    WHERE c.run_id = ANY (:runs) AND c.done_at IS NULL AND EXISTS (
      SELECT FROM batch_count k JOIN batch b ON b.id = k.batch_id WHERE b.run_id = c.run_id
         AND k.items > 0 AND k.state IN ('approved', 'sending', 'processing'))
  UNION ALL SELECT max(a.opened_at) + interval '2 seconds' FROM attempt a
    JOIN batch b ON b.id = a.batch_id WHERE a.closed_at IS NULL AND b.funding = :funding
) due
"""
