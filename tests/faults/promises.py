"""What must hold in any history: the promises, read from Paystack's and Twilio's side and ours."""

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
    tenant_lease AS theirs JOIN tenant_lease AS other ON other."leaseId" = theirs."leaseId"
    WHERE theirs."leaseId" = invoice."leaseId" AND theirs."tenantId" = invoice."tenantId"
    AND other."tenantId" = reader.id
"""


class Duplicate(AssertionError):
    """A month was billed twice."""


class Loss(AssertionError):
    """A month, or a text, that is due is missing though the world is healthy."""


class Bothered(AssertionError):
    """A text to one who has paid, or is not late, or was texted a moment ago."""


class Unclear(AssertionError):
    """The ledgers and the world do not agree on how something ended."""


def nothing_twice(world: World) -> None:
    """I1, at any moment: in all that was ever made at Paystack, and in LeaseUp's invoices."""
    about = [request.metadata for request in world.paystack.payment_requests if request.metadata]
    months = Counter((one["lease_id"], one["due_date"]) for one in about)
    rows = world.rows(
        'SELECT "leaseId", "dueDate", count(*) FROM invoice WHERE category = \'RENT\''
        ' AND "dueDate" IS NOT NULL'
        # What a landlord has voided may be billed by LeaseUp's own task, or found again.
        " GROUP BY 1, 2 HAVING count(*) FILTER (WHERE status <> 'CANCELLED') > 1"
    )
    twice = [month for month, count in months.items() if count > 1]
    if twice or rows:
        raise Duplicate(f"at Paystack: {twice}; in LeaseUp: {rows}")


def every_month_is_billed(world: World, as_of: date) -> None:
    """I2, after a healthy run: whatever is due near `as_of` has its invoice; nothing is open."""
    leases = world.rows(
        'SELECT id, "startDate", "endDate", status::text, rent, "unitId", "automaticInvoice"'
        ' FROM lease WHERE id IN (SELECT "leaseId" FROM tenant_lease)'
    )
    # How far a month reaches: an invoice dated so near to a due date is treated as it, and a person
    # is shown. One without a date, or that was deleted, holds what it may stand for.
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
        wanted = (
            automatic
            and status == "ACTIVE"
            and due <= as_of + timedelta(days=DAYS_AHEAD)
            and (end is None or due < end)  # type: ignore[operator]
            and rent >= 1  # type: ignore[operator]
        )
        # Of two leases of one home both are held while both run; and each by the other's bill.
        others = [row for row in leases if row[5] == unit and row[0] != lease]
        both_run = any(other[3] == "ACTIVE" for other in others)
        of_home = [d for one in (lease, *(row[0] for row in others)) for d in invoices.get(one, ())]
        if wanted and not both_run and not any(abs((d - due).days) <= r for d, r in of_home):
            raise Loss(f"lease {lease} has no invoice for {due} as of {as_of}")


def books_agree(world: World, lost: set[str], gone: set[str]) -> None:
    """I5, after a healthy run: every month has ended, and each side knows of the other's.

    What a restored backup has `lost` (references) may wait until its month is due again;
    whose invoice was deleted is `gone` (request codes).
    """
    ledger = world.rows(
        "SELECT lease_id, due_date::text, state, request_code, invoice_id, error, amount_cents"
        " FROM leaseup_dagster.invoice_ledger"
    )
    unclear = [row for row in ledger if row[2] not in ("invoiced", "cancelled")]
    if unclear:
        raise Loss(f"still open after a healthy run: {unclear}")
    if any(row[2] == "cancelled" and not row[5] for row in ledger):
        raise Unclear(f"withdrawn without a reason: {ledger}")
    ours = {
        (row[0], row[1], row[3], row[6])
        for row in ledger
        if row[2] == "invoiced" and row[3] not in gone
    }
    codes = {row[3] for row in ledger}
    theirs = {
        (about["lease_id"], about["due_date"], request.request_code, request.amount)
        for request in world.paystack.payment_requests
        if (about := request.metadata)
        and request.request_code not in gone
        # One that was cancelled, because LeaseUp had billed the month meanwhile.
        and not (request.archived and request.request_code not in codes)
        and (request.request_code in codes or about["reference"] not in lost)
    }
    about_ours = {r.request_code for r in world.paystack.payment_requests if r.metadata} - gone
    written = {
        tuple(row)
        for row in world.rows(
            'SELECT "leaseId", "dueDate"::text, "paystackId", round("dueAmount" * 100)::bigint'
            " FROM invoice"
        )
        # Of an invoice manually nobody here has to know.
        if row[2] in about_ours
    }
    if not ours == theirs == written:
        raise Unclear(f"ledger {ours - theirs}, Paystack {theirs - ours}, LeaseUp {written - ours}")


@dataclass
class Texts:
    """Everything that was ever texted in a history, by payment request and number."""

    world: World
    sent: dict[tuple[str, str], list[date]] = field(default_factory=dict)
    _seen: int = 0

    def settled_codes(self) -> set[str]:
        """Payment requests about which nobody may be texted any more, on either side's word."""
        at_paystack = {r.request_code for r in self.world.paystack.payment_requests if r.paid}
        rows = self.world.rows(
            'SELECT "paystackId" FROM invoice'
            " WHERE status NOT IN ('PENDING', 'OVERDUE', 'PARTIALLY_PAID') OR \"dueAmount\" <= ("
            ' SELECT coalesce(sum("amountPaid"), 0) FROM transaction'
            ' WHERE "invoiceId" = invoice.id)'
        )
        return at_paystack | {str(code) for (code,) in rows}

    def check_new(self, settled: Iterable[str], as_of: date) -> None:
        """I3, after any run: `settled` is how it stood before."""
        due = {str(c): d for c, d in self.world.rows('SELECT "paystackId", "dueDate" FROM invoice')}
        new = self.world.twilio.messages[self._seen :]
        self._seen += len(new)
        today = Counter(message.to for message in new)
        if any(count > 1 for count in today.values()):
            raise Bothered(f"more than one text to a person in one run: {today}")
        for message in new:
            for code in self._codes_of(message):
                self._check(message.to, code, settled, due, as_of)

    def _codes_of(self, message: StoredMessage) -> set[str]:
        """Which payment requests a text is about: by its link, and by our ledger."""
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
            raise Bothered(f"{to} was texted about {code}, which is paid or cancelled")
        if to[3:] not in self._numbers_of(code):
            raise Bothered(f"{to} was texted about {code}, which is not their debt")
        if (as_of - due[code]).days <= AFTER_DAYS:  # type: ignore[operator]
            raise Bothered(f"{to} was texted about {code}, which is not late")
        if self._is_for_after_the_lease(code):
            raise Bothered(f"{to} was texted about {code}, which is for after the lease's end")
        days = self.sent.setdefault((code, to), [])
        if len(days) >= MOST_TEXTS or any(abs((as_of - d).days) < REPEAT_DAYS for d in days):
            raise Bothered(f"{to} was texted about {code} on {days} and {as_of}")
        days.append(as_of)

    def _is_for_after_the_lease(self, code: str) -> bool:
        rows = self.world.rows(
            'SELECT FROM invoice JOIN lease ON lease.id = "leaseId"'
            ' WHERE "paystackId" = :code AND category = \'RENT\' AND "endDate" < "dueDate"',
            code=code,
        )
        return bool(rows)

    def _numbers_of(self, code: str) -> set[str]:
        """Of whom it is due from, and of those who share the lease with them; without a zero."""
        rows = self.world.rows(
            "SELECT reader.phone FROM invoice JOIN tenant AS reader"
            f' ON reader.id = invoice."tenantId" OR EXISTS (SELECT FROM {_SHARED})'
            ' WHERE invoice."paystackId" = :code',
            code=code,
        )
        return {str(phone)[1:] for (phone,) in rows}

    def check_everyone_was_told(self, as_of: date) -> None:
        """I2 for texts, after a healthy run: nobody who is late has heard nothing, ever."""
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
            # Rent for a day after the lease is over is for a person, and for no tenant.
            ' AND NOT EXISTS (SELECT FROM lease WHERE lease.id = invoice."leaseId"'
            ' AND lease."endDate" < invoice."dueDate")'
            # One text a person and day: the rest goes into the next.
            " AND NOT EXISTS (SELECT FROM leaseup_dagster.reminder_ledger AS today"
            " WHERE today.tenant_id = reader.id AND today.as_of = :as_of"
            " AND today.state IN ('sent', 'unknown', 'sending'))",
            as_of=as_of, after=AFTER_DAYS,
        )  # fmt: skip
        gone = {r.request_code for r in self.world.paystack.payment_requests if r.archived}
        silent = [row for row in rows if row[1] not in gone | self.settled_codes()]
        if silent:
            raise Loss(f"late, and never texted about: {silent}")
