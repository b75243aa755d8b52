"""The step in which a person says what is right about the money of one invoice."""

import dagster as dg
from pydantic import Field, field_validator

from leaseup_dagster.invoicing.payments import questions, records
from leaseup_dagster.invoicing.payments.receipts import Decision
from leaseup_dagster.money import format_rands
from leaseup_dagster.reconciliation.repairs import Repairs
from leaseup_dagster.run_config import ConfigFailure, RunConfig


class DecisionConfig(RunConfig):
    """What a person says about the payments of one invoice."""

    invoice_id: str = Field(
        description="The invoice's id, as the check every_payment_counted_once names it."
    )
    decision: str = Field(
        description="leave: the books are right as they are. record: what Paystack received is"
        " money of its own, and is written down as well.",
    )
    reason: str = Field(description="Why; kept with the decision. Nobody's name.")

    @field_validator("decision")
    @classmethod
    def _is_known(cls, value: str) -> str:
        known = [decision.value for decision in Decision]
        if value not in known:
            raise ConfigFailure(f"decision is {value!r}: must be {' or '.join(known)}.")
        return value

    @field_validator("invoice_id", "reason")
    @classmethod
    def _is_said(cls, value: str) -> str:
        if not value.strip():
            raise ConfigFailure("invoice_id and reason must not be empty.")
        return value.strip()


@dg.op(description="Keeps the decision, and writes down what Paystack received if it says so.")
def decide(
    context: dg.OpExecutionContext, config: DecisionConfig, repairs: dg.ResourceParam[Repairs]
) -> None:
    with repairs.engine.begin() as connection:
        codes = questions.decide(
            connection, config.invoice_id, Decision(config.decision), config.reason, context.run_id
        )
    if not codes:
        raise ConfigFailure(
            f"nothing is to be decided about an invoice {config.invoice_id}: the check"
            " every_payment_counted_once of the asset payment_requests names those that are"
        )
    written = 0
    if config.decision == Decision.RECORD:
        # Committed before: if it stops here, the next night writes it down.
        for code in codes:
            request = repairs.paystack.fetch_payment_request(code)
            written += records.settle(repairs.engine, config.invoice_id, request).written_cents
    context.log.info(
        f"Decided: {config.decision} invoice_id={config.invoice_id} written down"
        f" {format_rands(written)}"
    )
