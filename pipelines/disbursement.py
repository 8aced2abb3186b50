"""Mass disbursement: suppliers, refunds, salaries; one payout per line, every working day."""

from payouts import Pipeline

PIPELINE = Pipeline(
    name="disbursement",
    description="one payout per line; takes every file that no other pipeline takes",
    files="inputs/*disbursement*.*",
    schedule="0 8 * * mon-fri",
    timezone="UTC",
    period="day",
)
