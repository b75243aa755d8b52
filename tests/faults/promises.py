"""The promises that hold in any history, checked at Paystack, at Twilio and in the database."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from leaseup_dagster.invoicing.rules.due_dates import next_due_date
from leaseup_dagster.sandbox.twilio import StoredMessage
from tests.faults.world import World

DAYS_AHEAD, AFTER_DAYS, REPEAT_DAYS, MOST_TEXTS = 50, 3, 7, 4
_CODE = re.compile(r"PRQ_\w+")
_SHARED = """
    tenant_lease AS debtor JOIN tenant_lease AS sharer ON sharer."leaseId" = debtor."leaseId"
    WHERE debtor."leaseId" = invoice."leaseId" AND debtor."tenantId" = invoice."tenantId"
    AND sharer."tenantId" = reader.id
"""


class Duplicate(AssertionError):
    """A month was billed twice."""


class Loss(AssertionError):
    """An invoice or a text that is due is missing although the world is healthy."""


class UnwantedMessage(AssertionError):
    """A text to somebody who has paid, owes nothing yet, or was texted only recently."""


class Inconsistency(AssertionError):
    """The ledger, Paystack and LeaseUp disagree."""


def check_nothing_twice(world: World) -> None:
    """I1, at any moment, over all payment requests ever created and LeaseUp's invoices."""
    about = [request.metadata for request in world.paystack.payment_requests if request.metadata]
    months = Counter((one["lease_id"], one["due_date"]) for one in about)
    rows = world.rows(
        'SELECT "leaseId", "dueDate", count(*) FROM invoice WHERE category = \'RENT\''
        ' AND "dueDate" IS NOT NULL'
        # A month whose invoice was voided may be billed by LeaseUp's own task, or adopted.
        " GROUP BY 1, 2 HAVING count(*) FILTER (WHERE status <> 'CANCELLED') > 1"
    )
    twice = [month for month, count in months.items() if count > 1]
    if twice or rows:
        raise Duplicate(f"at Paystack: {twice}; in LeaseUp: {rows}")


def check_every_month_is_billed(world: World, as_of: date) -> None:
    """I2, after a healthy run: every month that is due soon after `as_of` has its invoice."""
    leases = world.rows(
        'SELECT id, "startDate", "endDate", status::text, rent, "unitId", "automaticInvoice"'
        ' FROM lease WHERE id IN (SELECT "leaseId" FROM tenant_lease)'
    )
    # `reach`, in days: an invoice dated this near to a due date counts as the invoice of that
    # month, and the report shows it. One without a date, or deleted, blocks every month it may
    # be for.
    invoices: dict[object, list[tuple[date, int]]] = {}
    for lease, due, reach in world.rows(
        """SELECT "leaseId", coalesce("dueDate", "createdAt"::date),
            CASE WHEN "dueDate" IS NULL THEN 62 WHEN status = 'CANCELLED' THEN 3 ELSE 20 END
        FROM invoice UNION ALL
        SELECT lease_id, due_date, 20 FROM leaseup_dagster.invoice_ledger AS ledger
        WHERE state = 'invoiced'
          AND NOT EXISTS (SELECT FROM invoice WHERE invoice.id = ledger.invoice_id)"""
    ):
        invoices.setdefault(lease, []).append((due, reach))  # type: ignore[arg-type]
    for lease, start, end, status, rent, unit, automatic in leases:
        due = next_due_date(start, as_of)  # type: ignore[arg-type]
        is_due = (
            automatic
            and status == "ACTIVE"
            and due <= as_of + timedelta(days=DAYS_AHEAD)
            and (end is None or due < end)  # type: ignore[operator]
            and rent >= 1  # type: ignore[operator]
        )
        # Two active leases of one unit block each other, and so do invoices of the other one.
        others = [row for row in leases if row[5] == unit and row[0] != lease]
        both_run = any(other[3] == "ACTIVE" for other in others)
        of_home = [d for one in (lease, *(row[0] for row in others)) for d in invoices.get(one, ())]
        if is_due and not both_run and not any(abs((d - due).days) <= r for d, r in of_home):
            raise Loss(f"lease {lease} has no invoice for {due} as of {as_of}")


def check_ledger_agrees(world: World, lost: set[str], gone: set[str]) -> None:
    """I5, after a healthy run: no month is open, and ledger, Paystack and LeaseUp agree.

    `lost`: references that a restored backup does not have; they may wait until their month is due
    again. `gone`: request codes whose invoice was deleted.
    """
    ledger = world.rows(
        "SELECT lease_id, due_date::text, state, request_code, invoice_id, error, amount_cents"
        " FROM leaseup_dagster.invoice_ledger"
    )
    unfinished = [row for row in ledger if row[2] not in ("invoiced", "cancelled")]
    if unfinished:
        raise Loss(f"still open after a healthy run: {unfinished}")
    if any(row[2] == "cancelled" and not row[5] for row in ledger):
        raise Inconsistency(f"cancelled without a reason: {ledger}")
    in_ledger = {
        (row[0], row[1], row[3], row[6])
        for row in ledger
        if row[2] == "invoiced" and row[3] not in gone
    }
    codes = {row[3] for row in ledger}
    at_paystack = {
        (about["lease_id"], about["due_date"], request.request_code, request.amount)
        for request in world.paystack.payment_requests
        if (about := request.metadata)
        and request.request_code not in gone
        # It was cancelled because LeaseUp had billed the month in the meantime.
        and not (request.archived and request.request_code not in codes)
        and (request.request_code in codes or about["reference"] not in lost)
    }
    own_codes = {r.request_code for r in world.paystack.payment_requests if r.metadata} - gone
    in_leaseup = {
        tuple(row)
        for row in world.rows(
            'SELECT "leaseId", "dueDate"::text, "paystackId", round("dueAmount" * 100)::bigint'
            " FROM invoice"
        )
        # Invoices that were created manually are not in the ledger.
        if row[2] in own_codes
    }
    if not in_ledger == at_paystack == in_leaseup:
        raise Inconsistency(
            f"only in the ledger {in_ledger - at_paystack}, only at Paystack"
            f" {at_paystack - in_ledger}, only in LeaseUp {in_leaseup - in_ledger}"
        )


@dataclass
class Texts:
    """Every text of a history, by payment request and phone number."""

    world: World
    sent: dict[tuple[str, str], list[date]] = field(default_factory=dict)
    _seen: int = 0

    def settled_codes(self) -> set[str]:
        """Payment requests that are paid or cancelled at Paystack or in LeaseUp."""
        at_paystack = {r.request_code for r in self.world.paystack.payment_requests if r.paid}
        rows = self.world.rows(
            'SELECT "paystackId" FROM invoice'
            " WHERE status NOT IN ('PENDING', 'OVERDUE', 'PARTIALLY_PAID') OR \"dueAmount\" <= ("
            ' SELECT coalesce(sum("amountPaid"), 0) FROM transaction'
            ' WHERE "invoiceId" = invoice.id)'
        )
        return at_paystack | {str(code) for (code,) in rows}

    def check_new(self, settled: Iterable[str], as_of: date) -> None:
        """I3, after any run: check the new texts. `settled`: `settled_codes` before the run."""
        due = {str(c): d for c, d in self.world.rows('SELECT "paystackId", "dueDate" FROM invoice')}
        new = self.world.twilio.messages[self._seen :]
        self._seen += len(new)
        today = Counter(message.to for message in new)
        if any(count > 1 for count in today.values()):
            raise UnwantedMessage(f"more than one text to a number in one run: {today}")
        for message in new:
            for code in self._codes_of(message):
                self._check(message.to, code, settled, due, as_of)

    def _codes_of(self, message: StoredMessage) -> set[str]:
        """The payment requests that a text is about, by its link and by our ledger."""
        rows = self.world.rows(
            'SELECT "paystackId" FROM leaseup_dagster.reminder_ledger'
            " JOIN invoice ON invoice.id = invoice_id WHERE message_id = :sid",
            sid=message.sid,
        )
        return {*_CODE.findall(message.body), *(str(code) for (code,) in rows)}

    def _check(
        self, to: str, code: str, settled: Iterable[str], due: dict[str, object], as_of: date
    ) -> None:
        if code in set(settled):
            raise UnwantedMessage(f"{to} was texted about {code}, which is paid or cancelled")
        if to[3:] not in self._numbers_of(code):
            raise UnwantedMessage(f"{to} was texted about {code}, which they do not owe")
        if (as_of - due[code]).days <= AFTER_DAYS:  # type: ignore[operator]
            raise UnwantedMessage(f"{to} was texted about {code}, which is not overdue")
        if self._is_due_after_lease_end(code):
            raise UnwantedMessage(
                f"{to} was texted about {code}, which is due after the end of the lease"
            )
        days = self.sent.setdefault((code, to), [])
        if len(days) >= MOST_TEXTS or any(abs((as_of - d).days) < REPEAT_DAYS for d in days):
            raise UnwantedMessage(f"{to} was texted about {code} on {days} and {as_of}")
        days.append(as_of)

    def _is_due_after_lease_end(self, code: str) -> bool:
        rows = self.world.rows(
            'SELECT FROM invoice JOIN lease ON lease.id = "leaseId"'
            ' WHERE "paystackId" = :code AND category = \'RENT\' AND "endDate" < "dueDate"',
            code=code,
        )
        return bool(rows)

    def _numbers_of(self, code: str) -> set[str]:
        """Phone numbers of the debtor and of the tenants who share the lease, without the zero."""
        rows = self.world.rows(
            "SELECT reader.phone FROM invoice JOIN tenant AS reader"
            f' ON reader.id = invoice."tenantId" OR EXISTS (SELECT FROM {_SHARED})'
            ' WHERE invoice."paystackId" = :code',
            code=code,
        )
        return {str(phone)[1:] for (phone,) in rows}

    def check_all_overdue_were_texted(self, as_of: date) -> None:
        """I2 for texts, after a healthy run: every overdue tenant was texted at least once."""
        rows = self.world.rows(
            'SELECT invoice.id, invoice."paystackId", reader.id'
            " FROM invoice JOIN tenant AS reader ON reader.id = invoice.\"tenantId\" OR EXISTS ("
            f" SELECT FROM {_SHARED})"
            " WHERE \"dueDate\" < CAST(:as_of AS date) - :after AND status IN"
            " ('PENDING', 'OVERDUE', 'PARTIALLY_PAID') AND NOT EXISTS ("
            " SELECT FROM leaseup_dagster.reminder_ledger AS ledger"
            " WHERE ledger.invoice_id = invoice.id AND ledger.number_hash <> ''"
            " AND (ledger.tenant_id = reader.id OR ledger.state = 'refused')"
            " AND state IN ('sent', 'unknown', 'refused'))"
            # Rent that is due after the end of the lease is left to a person.
            ' AND NOT EXISTS (SELECT FROM lease WHERE lease.id = invoice."leaseId"'
            ' AND lease."endDate" < invoice."dueDate")'
            # One text per person and day. The other invoices follow later.
            " AND NOT EXISTS (SELECT FROM leaseup_dagster.reminder_ledger AS today"
            " WHERE today.tenant_id = reader.id AND today.as_of = :as_of"
            " AND today.state IN ('sent', 'unknown', 'sending'))",
            as_of=as_of, after=AFTER_DAYS,
        )  # fmt: skip
        gone = {r.request_code for r in self.world.paystack.payment_requests if r.archived}
        missing = [row for row in rows if row[1] not in gone | self.settled_codes()]
        if missing:
            raise Loss(f"overdue, and never texted about: {missing}")
