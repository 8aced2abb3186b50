"""A drop folder: whatever lands in `inputs/drop/inbox` is paid, line by line."""

from payouts import Pipeline

PIPELINE = Pipeline(
    name="file_drop",
    description="whatever lands in inputs/drop/inbox",
    files="inputs/drop/inbox/*",
    schedule="*/5 * * * *",
    timezone="UTC",
    period="day",
)
