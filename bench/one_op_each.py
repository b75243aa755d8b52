"""A Dagster job with one op for each invoice, for `bench.ways`.

python -m bench.one_op_each PAYSTACK_URL|CUSTOMER_CODE COUNT
"""

import sys

import dagster as dg
import httpx

_HEADERS = {"Authorization": "Bearer sk_test_sandbox"}


@dg.op(config_schema={"count": int}, out=dg.DynamicOut(int))
def find_leases(context: dg.OpExecutionContext):  # type: ignore[no-untyped-def]
    """One dynamic output for each invoice."""
    for number in range(context.op_config["count"]):
        yield dg.DynamicOutput(number, mapping_key=f"lease_{number}")


@dg.op(config_schema={"address": str})
def create_invoice(context: dg.OpExecutionContext, number: int) -> None:
    """Create one payment request."""
    url, customer = context.op_config["address"].split("|")
    body = {"customer": customer, "amount": 850_000 + number, "currency": "ZAR"}
    httpx.post(f"{url}/paymentrequest", json=body, headers=_HEADERS).raise_for_status()


@dg.job(executor_def=dg.multiprocess_executor)
def one_op_each() -> None:
    """One op run for each invoice, each in a process of its own."""
    find_leases().map(create_invoice)


def main() -> int:
    """Run the job; the exit code."""
    config = {
        "ops": {
            "find_leases": {"config": {"count": int(sys.argv[2])}},
            "create_invoice": {"config": {"address": sys.argv[1]}},
        }
    }
    with dg.DagsterInstance.get() as instance:
        job = dg.reconstructable(one_op_each)
        return 0 if dg.execute_job(job, instance, run_config=config).success else 1


if __name__ == "__main__":
    from bench.one_op_each import (
        main as as_a_module,  # so that the executor's processes can import the job
    )

    raise SystemExit(as_a_module())
