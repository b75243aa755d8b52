"""SQL: what was paid on invoices, and what is still due, with each payment counted once.

Everything that names an amount due asks here. Set-based: LeaseUp has no index on any foreign key.

One payment may stand in LeaseUp twice. Its webhook writes a row under the payment request's offline
reference or code, and the same row again when Paystack repeats the message; we write one under the
reference of Paystack's own transaction. Rows of one kind that are alike are one payment, and so are
a row of each kind with the same amount. What a person entered manually is counted as it stands.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Numeric,
    Select,
    Text,
    case,
    cast,
    func,
    or_,
    select,
)

from leaseup_dagster.database.leaseup import transaction


def in_cents(rands: ColumnElement[Any]) -> ColumnElement[Any]:
    """Rands as LeaseUp keeps them, in whole cents, half up."""
    return func.round(cast(rands, Numeric) * 100)


def due(some: CTE) -> CTE:
    """Those of the invoices `some` on which something is due: all columns, and `cents`.

    A NaN is larger than any number here, so that an unreadable amount is found and reported.
    """
    paid = received(some, by=(some.c.id,))
    cents = in_cents(some.c.dueAmount) - func.coalesce(paid.c.cents, 0)
    return (
        select(some, cents.label("cents"))
        .outerjoin(paid, paid.c.id == some.c.id)
        .where(cents > 0)
        .cte("due")
    )


def received(
    some: FromClause,
    *only: ColumnElement[bool],
    by: Sequence[ColumnElement[Any]],
    name: str = "received",
) -> CTE:
    """What was paid on each invoice of `some`, in `cents`, grouped `by` columns of it.

    `some` has an invoice's `id`, `paystackId` and `offlineReference`; `only` narrows the payments.
    Invoices without a payment are left out. `name` is the CTE's, where there are several.
    """
    paid = by_amount(some, *only, by=by, name=f"{name}_by_amount")
    totals = [paid.c[column.key] for column in by if column.key]
    return (
        select(*totals, func.sum(paid.c.cents * paid.c.times).label("cents"))
        .group_by(*totals)
        .cte(name)
    )


def by_amount(
    some: FromClause,
    *only: ColumnElement[bool],
    by: Sequence[ColumnElement[Any]],
    name: str = "by_amount",
) -> CTE:
    """The same by the amount of a payment: how many `times` so many `cents` were paid, and `last`
    at which instant (UTC, without a zone)."""
    payment = _distinct(some, only, by).cte(f"{name}_payment")
    keys = [payment.c[column.key] for column in by if column.key]

    def number(kind: str) -> ColumnElement[int]:
        return func.count().filter(payment.c.kind == kind)

    at_paystack = func.greatest(number("paystack"), number("webhook"))
    return (
        select(
            *keys,
            payment.c.cents,
            (at_paystack + number("manually")).label("times"),
            func.max(payment.c.at).label("last"),
        )
        .group_by(*keys, payment.c.cents)
        .cte(name)
    )


def _distinct(
    some: FromClause, only: Sequence[ColumnElement[bool]], by: Sequence[ColumnElement[Any]]
) -> Select[Any]:
    """One row for each payment of one kind, however often it was written."""
    kind, identity = distinguished(some)
    columns = [
        *by,
        kind.label("kind"),
        in_cents(transaction.c.amountPaid).label("cents"),
        identity.label("identity"),
    ]
    return (
        select(*columns, func.max(transaction.c.createdAt).label("at"))
        .join_from(transaction, some, some.c.id == transaction.c.invoiceId)
        .where(*only)
        .group_by(*columns)
    )


def distinguished(some: FromClause) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """Who wrote a row of `transaction` of an invoice of `some` (`paystack` is us, `webhook`,
    `manually`), and what two rows have in common that are one payment."""
    reference = func.nullif(transaction.c.referenceId, "")
    kind: ColumnElement[str] = case(
        (cast(transaction.c.method, Text) == "PAYSTACK", "paystack"),
        (or_(reference == some.c.offlineReference, reference == some.c.paystackId), "webhook"),
        else_="manually",
    )
    identity: ColumnElement[str] = case(
        (kind == "paystack", func.coalesce(reference, transaction.c.id)),
        # Paystack's own date of the payment: a repeated message has the same one.
        (kind == "webhook", cast(transaction.c.createdAt, Text)),
        else_=transaction.c.id,
    )
    return kind, identity
