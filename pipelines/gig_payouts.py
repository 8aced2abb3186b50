"""Gig workers on Friday: the lines of one worker and account become one payout.

The same line in next week's export is still the same line; of a file that is dropped again with
more lines, only those are paid.
"""

from payouts import Pipeline

PIPELINE = Pipeline(
    name="gig_payouts",
    description="one payout per worker and account, the sum of the week",
    files="inputs/gig_*.*",
    aggregated=True,
    schedule="0 9 * * fri",
    timezone="UTC",
    period="week",
)
