"""The protocol: find a tenant's customer at Paystack or make it, and keep its code.

Paystack answers a known e-mail address with the existing customer, so that asking twice is
harmless: after a crash it is simply asked again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.customers import missing
from leaseup_dagster.customers.missing import Applicant
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import KeyRejected, NotSent, PaystackError, Refused
from leaseup_dagster.paystack.models import NewCustomer
from leaseup_dagster.stopping import in_flight


class Kind(Enum):
    """What became of one tenant."""

    REGISTERED = "registered"
    REFUSED = "refused"  # until its data change
    FAILED = "failed"  # worth another try
    STOPPED = "stopped"  # the run was told to stop, or its time is up
    KEY_REJECTED = "key rejected"  # no request works until the setting is right


@dataclass(frozen=True)
class Outcome:
    tenant_id: str
    kind: Kind
    why: str | None = None


@dataclass(frozen=True)
class Registration:
    """Registers tenants; safe to use from many threads, processes and machines at once."""

    engine: Engine
    paystack: PaystackClient

    def register_all(
        self, tenant_ids: Sequence[str], *, width: int, seconds: float, retry_refused: bool = False
    ) -> list[Outcome]:
        """Those of the tenants that need it, `width` at once; one bad tenant stops no other."""
        with self.engine.connect() as connection:
            todo = missing.applicants(connection, tenant_ids, retry_refused=retry_refused)
        stop = self.paystack.stop
        return in_flight(self.register, todo, width=width, stop=stop, seconds=seconds)

    def register(self, applicant: Applicant) -> Outcome:
        """One tenant. Never raises."""
        tenant_id = applicant.tenant_id
        try:
            customer = self.paystack.create_customer(_request(applicant))
            with self.engine.begin() as connection:
                missing.store_customer(connection, tenant_id, customer.customer_code)
        except KeyRejected as error:
            return Outcome(tenant_id, Kind.KEY_REJECTED, str(error))
        except NotSent:
            return Outcome(tenant_id, Kind.STOPPED)
        except (Refused, ValidationError) as error:
            why = str(error) if isinstance(error, Refused) else "its e-mail address is malformed"
            with self.engine.begin() as connection:
                missing.remember_refusal(connection, applicant, why)
            return Outcome(tenant_id, Kind.REFUSED, why)
        except (PaystackError, DBAPIError) as error:
            paystacks = isinstance(error, PaystackError)
            return Outcome(
                tenant_id, Kind.FAILED, str(error) if paystacks else type(error).__name__
            )
        return Outcome(tenant_id, Kind.REGISTERED)


def _request(applicant: Applicant) -> NewCustomer:
    return NewCustomer(
        email=applicant.email,
        first_name=applicant.first_name,
        last_name=applicant.last_name,
        phone=applicant.phone,
        metadata={"tenant_id": applicant.tenant_id, "source": "leaseup"},
    )
