"""The tags that jobs and their runs carry, and who owns the assets. No I/O."""

RUN_TAGS = {
    "dagster/max_runtime": "300",
    # The daemon's. From the failed step on, it would need the files of the machine that died.
    "dagster/retry_strategy": "ALL_STEPS",
}
"""What each job carries: how long a run lasts, and that one whose worker died begins anew."""

FOR = "leaseup/for"
"""The tag by which a person finds jobs and runs: a job is in one of these groups."""

OWNERS = ["team:rent-operations"]
"""Who answers for each asset, as Dagster's Catalog shows it."""

DAILY = {**RUN_TAGS, FOR: "daily"}
WEEKLY = {**RUN_TAGS, FOR: "weekly"}
MANUAL = {**RUN_TAGS, FOR: "manual"}
READ_ONLY = {**RUN_TAGS, FOR: "read only"}
