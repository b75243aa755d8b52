"""A run in a process of its own, to be killed: `python tests/child.py JOB CONFIG_JSON`.

Exits with 0 when the run succeeds and with 1 when it fails.
"""

import json
import sys

from dagster import DagsterInstance

from leaseup_dagster.definitions import defs
from leaseup_dagster.retries import waiting_at_most


def main() -> None:
    job, config = sys.argv[1], json.loads(sys.argv[2])
    with DagsterInstance.ephemeral() as instance, waiting_at_most(0):
        result = defs.resolve_job_def(job).execute_in_process(
            run_config=config, instance=instance, raise_on_error=False
        )
    sys.exit(0 if result.success else 1)


if __name__ == "__main__":
    main()
