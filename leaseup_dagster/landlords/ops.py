"""The steps that tell landlords, as Dagster sees them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.landlords import ledger, report
from leaseup_dagster.landlords.delivery import Kind, LandlordDelivery, Result
from leaseup_dagster.landlords.letter import Letters
from leaseup_dagster.pickled import pickled_as
from leaseup_dagster.retries import SERVICE_UNREACHABLE, try_again
from leaseup_dagster.run_config import DayConfig
from leaseup_dagster.settings import MailSettings, TaskSettings
from leaseup_dagster.stopping import seconds_left
from leaseup_dagster.tables import page_and_tables, table

SHOWN = 20
"""Letters that a preview renders; the others are counted."""


@pickled_as("leaseup_dagster.landlords.ops.TellingDay")
@dataclass(frozen=True)
class NotificationDay:
    """The day a run tells, and whether it is the first that ever did."""

    as_of: date
    enabled: bool
    began: bool = False
    # What failed on our own side, of landlords by id.
    broken: tuple[Result, ...] = ()


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="The first time, counts all there is as notified. Each time, counts as notified"
    " what is new of landlords who are not served, and gives up what a crashed run claimed.",
)
def begin_telling(
    context: dg.OpExecutionContext,
    config: DayConfig,
    landlord_delivery: dg.ResourceParam[LandlordDelivery],
    mail: dg.ResourceParam[MailSettings],
) -> NotificationDay:
    as_of = config.day_to_act_on()
    if landlord_delivery.sender is None:
        context.log.info("LANDLORD_EMAILS_ENABLED is false: no landlord is notified")
        return NotificationDay(as_of, enabled=False)
    with landlord_delivery.engine.begin() as connection:
        began = ledger.begin(connection, as_of, mail.statuses)
    return NotificationDay(as_of, enabled=True, began=began)


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="One e-mail to each landlord who has news. One bad address stops no other; what the"
    " server asks to try later is tried again, at last by the next day's run.",
)
def tell_each_landlord(
    context: dg.OpExecutionContext,
    day: NotificationDay,
    landlord_delivery: dg.ResourceParam[LandlordDelivery],
    mail: dg.ResourceParam[MailSettings],
    tasks: dg.ResourceParam[TaskSettings],
) -> NotificationDay:
    if not day.enabled:
        return day
    with landlord_delivery.engine.begin() as connection:
        news = ledger.news(connection, day.as_of, mail.statuses)
    results = landlord_delivery.notify_all(
        news,
        day.as_of,
        run_id=context.run_id,
        width=tasks.batch_size,
        seconds=seconds_left(context, tasks.taking_seconds),
    )
    for result in results:
        if result.kind not in (Kind.NOTIFIED, Kind.CLAIMED_ELSEWHERE, Kind.STOPPED):
            context.log.warning(
                f"landlord_id={result.landlord_id}: {result.kind.value}: {result.why}"
            )
    account = next((result for result in results if result.kind is Kind.ACCOUNT), None)
    if account:
        raise dg.Failure(f"{account.why}. Nobody else was tried.", allow_retries=False)
    later = [result for result in results if result.kind in (Kind.DEFERRED, Kind.BROKEN)]
    try_again(context, len(later), len(results), "e-mails")
    return replace(day, broken=tuple(r for r in results if r.kind is Kind.BROKEN))


@dg.op(
    description="Says who was notified, who was not and why. Fails the run if the mail server did"
    " not accept an e-mail, for another reason than its address.",
)
def report_telling(
    context: dg.OpExecutionContext, day: NotificationDay, engine: dg.ResourceParam[Engine]
) -> Iterator[dg.AssetMaterialization | dg.Output[None]]:
    with engine.connect() as connection:
        rows = ledger.of_day(connection, day.as_of) if day.enabled else []
    counted = report.counts(rows)
    said = report.headline(day.as_of, counted, began=day.began)
    metadata: dict[str, Any] = {
        **page_and_tables(said, {"e-mails": (report.COLUMNS, report.table_rows(rows))}),
        "as of": day.as_of.isoformat(),
        **{word: counted.get(word, 0) for word in report.STANDS},
    }
    context.log.info(said)
    yield dg.AssetMaterialization("landlord_emails", metadata=metadata)
    not_notified = {row.landlord_id: row.why for row in rows if row.state == "deferred"}
    not_notified |= {result.landlord_id: result.why for result in day.broken}
    if not_notified:
        raise dg.Failure(
            f"{len(not_notified)} landlords could not be notified today; the next run does it."
            f" {next(iter(not_notified.values()))}",
            metadata=metadata,
            allow_retries=False,
        )
    yield dg.Output(None, metadata=metadata)


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Shows what each landlord would get, without anybody's name. Writes nothing,"
    " sends nothing.",
)
def preview_landlord_news(
    context: dg.OpExecutionContext,
    config: DayConfig,
    engine: dg.ResourceParam[Engine],
    mail: dg.ResourceParam[MailSettings],
) -> None:
    as_of = config.day()
    with engine.connect().execution_options(postgresql_readonly=True) as connection:
        first = not ledger.has_begun(connection)
        news = [] if first else ledger.news(connection, as_of, mail.statuses)
    letters = Letters(mail)
    said = (
        "The first run of tell_landlords counts all there is as notified, and sends nothing"
        if first
        else f"{len(news)} landlords have news as of {as_of}"
    )
    context.log.info(said)
    pages = [
        f"**{one.landlord.id}**: {letter.subject}\n\n```\n{letter.plain}```"
        for one in news[:SHOWN]
        for letter in [letters.write(one, as_of, masked=True)]
    ]
    context.add_output_metadata(
        {
            "report": dg.MetadataValue.md("\n\n".join([said, *pages])),
            "as of": as_of.isoformat(),
            "landlords with news": len(news),
            "news": table(report.NEWS_COLUMNS, report.news_rows(news)),
        }
    )


TellingDay = NotificationDay
"""Its name in release 0.1.0: see `pickled`."""
