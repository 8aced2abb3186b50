"""Payouts: a payout and disbursement batch processor that never pays a line twice."""
