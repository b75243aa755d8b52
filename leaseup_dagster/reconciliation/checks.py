"""The promise about payments, as a check a person sees on the asset and can launch."""

import dagster as dg
from sqlalchemy import Connection, Engine

from leaseup_dagster.checking import CheckFindings
from leaseup_dagster.invoicing.payments import questions
from leaseup_dagster.invoicing.payments.receipts import Doubt

ASSET = "payment_requests"

_ADVICE = """\
`explain_lease` shows the sums of each invoice and its rows. Put right in LeaseUp what is wrong: the
next night sees it. What is right as it stands, and what is money of its own, you say by launching
`decide_payment`:

```yaml
ops:
  decide:
    config:
      invoice_id: …
      decision: leave   # or record: what Paystack received is written down as well
      reason: …
```"""


def every_payment_decided(connection: Connection) -> CheckFindings:
    return CheckFindings(
        asset=ASSET,
        name="every_payment_counted_once",
        wrong={doubt.value: questions.count(connection, doubt.value) for doubt in Doubt},
        advice=_ADVICE,
    )


# Blocking: launched by itself, a run that finds something wrong fails, and its exit code says so.
@dg.asset_check(
    asset=ASSET,
    blocking=True,
    description="What Paystack received is in LeaseUp once, and no invoice was paid twice. What"
    " only a person can decide is listed until they have.",
)
def every_payment_counted_once(engine: dg.ResourceParam[Engine]) -> dg.AssetCheckResult:
    with engine.connect() as connection:
        return every_payment_decided(connection).result()


PAYMENT_CHECKS = [every_payment_counted_once]
