"""What a run says of the arrears: a headline, numbers that plot, a picture, tables. Pure."""

from typing import Any

from leaseup_dagster.arrears.ageing import Age
from leaseup_dagster.arrears.picture import as_markdown, picture
from leaseup_dagster.arrears.summary import Ageing, Arrears
from leaseup_dagster.money import format_rands, rands_from_cents
from leaseup_dagster.tables import Cell, Section, markdown, page_and_tables

LISTED = 100
_AGEING = ("landlord", *(age.value for age in Age), "owed", "tenants late", "oldest due date")
_MONTHS = ("month", "fell due", "of that, came in", "share")


def headline(found: Arrears) -> str:
    """What is owed and overdue, in one line for the top of the page."""
    share = found.share_collected
    said = "" if share is None else f"; {share:.1%} of what fell due in 13 months has come in"
    return (
        f"Arrears as of {found.as_of}: {format_rands(found.all.overdue)} overdue by"
        f" {found.all.tenants} tenants of {found.landlords_owed} landlords, and"
        f" {format_rands(found.all.cents[Age.NOT_YET_DUE])} not yet due{said}"
    )


def numbers(found: Arrears) -> dict[str, float]:
    """Those a bookkeeper searches for first."""
    share = found.share_collected
    return {
        "overdue rands": rands_from_cents(found.all.overdue),
        "over 90 days rands": rands_from_cents(found.all.cents[Age.OVER_90]),
        "owed rands": rands_from_cents(found.all.total),
        **({} if share is None else {"share collected percent": round(100 * share, 2)}),
    }


def metadata(found: Arrears) -> dict[str, Any]:
    """Numbers, then the picture and the tables."""
    ageing: list[tuple[Cell, ...]] = [_ageing_row("all", found.all)]
    ageing += [_ageing_row(one.landlord_id, one) for one in found.landlords]
    months: list[tuple[Cell, ...]] = [
        (
            f"{month.first:%Y-%m}",
            format_rands(month.billed),
            format_rands(month.collected),
            f"{month.collected / month.billed:.1%}" if month.billed else "",
        )
        for month in found.months
    ]
    page: dict[str, Section] = {"by landlord": (_AGEING, ageing), "by month": (_MONTHS, months)}
    return {
        **numbers(found),
        "tenants late": found.all.tenants,
        "landlords owed": found.landlords_owed,
        "unreadable amounts": found.unreadable,
        "as of": found.as_of.isoformat(),
        "picture": markdown(as_markdown(picture(found), "Arrears by age and by month")),
        **page_and_tables(headline(found), page),
    }


def _ageing_row(who: str, one: Ageing) -> tuple[Cell, ...]:
    cents = (*one.cents.values(), one.total)
    oldest = one.oldest.isoformat() if one.oldest else ""
    return (who, *map(format_rands, cents), one.tenants, oldest)
