"""`make demo`: the real jobs, run as an operator runs them, in a world without keys.

What it prints is read back from the database and the stand-ins, and compared with what the
portfolio says. Anything unexpected makes it fail.
"""

import argparse
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason
from leaseup_dagster.money import format_rands
from leaseup_dagster.sandbox import evidence
from leaseup_dagster.sandbox.arrears import INVOICES
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.portfolio import LEASES
from leaseup_dagster.sandbox.scene import lay_out
from leaseup_dagster.sandbox.smtp import text_of
from leaseup_dagster.sandbox.world import World, a_world

EXPLAINED = "lease-answer-lost"
CANCELLED = "lease-starts-in-future"
LONG = 1500


class Unexpected(Exception):
    """The demo did not show what it is there to show."""


@dataclass
class Demo:
    world: World
    today: date
    before: evidence.Footprint = field(init=False)
    paid: dict[str, str] = field(init=False, default_factory=dict)
    payments: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.before = evidence.footprint(self.world)

    def preview(self) -> None:
        """Planned as the portfolio says, and nothing made."""
        _expect_equal(evidence.footprint(self.world), self.before, "preview made something")
        eligibilities = evidence.eligibilities(self.world, self.today)
        planned = {case.lease_id: case.skipped for case in LEASES if case.is_automatic}
        _expect_equal(eligibilities, planned, "another plan than the portfolio's")
        skipped = [case for case in LEASES if eligibilities.get(case.lease_id)]
        by_hand = len(LEASES) - len(eligibilities)
        print(
            f"   {len(LEASES)} leases: would bill {len(eligibilities) - len(skipped)}, skips"
            f" {len(skipped)}, does not check {by_hand} without automatic invoicing. Skipped:"
        )
        _print_table((eligibilities[case.lease_id], case.lease_id, case.shows) for case in skipped)

    def check(self) -> None:
        """Every planned month is billed once, the one whose answer was lost as well."""
        rows = evidence.billed(self.world)
        wanted = {case.lease_id for case in LEASES if case.skipped is None}
        _expect_equal({row.key.lease_id for row in rows}, wanted, "billed others than planned")
        found_again = [row.key.lease_id for row in rows if row.adopted]
        _expect_equal(found_again, ["lease-answer-lost"], "found others at Paystack than planned")
        shows = {case.lease_id: case.shows for case in LEASES}
        _print_table(
            (
                row.key.due_date,
                row.key.lease_id,
                format_rands(row.amount_cents).rjust(12),
                row.request_code,
                shows[row.key.lease_id],
            )
            for row in rows
        )
        total = format_rands(sum(row.amount_cents for row in rows))
        by_reason = Counter(case.skipped for case in LEASES if case.is_automatic and case.skipped)
        by_hand = sum(not case.is_automatic for case in LEASES)
        print(f"   Billed {len(rows)} months for {total}.")
        print(f"   The other {by_reason.total() + by_hand} of {len(LEASES)} leases:")
        counted = [(str(n), SkipReason(code).words) for code, n in by_reason.most_common()]
        _print_table([*counted, (str(by_hand), "without automatic invoicing")])
        self.before = evidence.footprint(self.world)

    def check_again(self) -> None:
        """The same job once more makes nothing."""
        _expect_equal(evidence.footprint(self.world), self.before, "the second run made something")
        print("   Created nothing: no invoice, no payment request, no customer.")

    def pay(self) -> None:
        """Two tenants pay by their payment requests; LeaseUp's webhook hears of the first only."""
        heard, lost = (row.request_code for row in evidence.billed(self.world)[:2])
        self.world.paystack.pay(heard)
        self.world.paystack.pay(lost, heard=False)
        self.paid = {heard: "recorded by LeaseUp's webhook", lost: "its message was lost"}

    def reconcile(self) -> None:
        """Each payment is in LeaseUp once, and its invoice is PAID."""
        rows = {row.request_code: row for row in evidence.payments(self.world, list(self.paid))}
        for code in self.paid:
            row = rows[code]
            _expect_equal(row.status, "PAID", f"the invoice of {code} is not paid")
            _expect_equal(row.recorded_cents, row.received_cents, f"{code} was counted otherwise")
            _expect_equal(row.rows, 1, f"the payment of {code} was written down again")
        _print_table(
            (code, f"{format_rands(rows[code].received_cents)} received",
             f"{format_rands(rows[code].recorded_cents)} in LeaseUp", rows[code].status, how)
            for code, how in self.paid.items()
        )  # fmt: skip
        self.before = evidence.footprint(self.world)

    def remind(self) -> None:
        """Whom the portfolio says, and nobody else, and nobody twice."""
        texted = Counter(message.to for message in self.world.twilio.messages)
        wanted = Counter(number for case in INVOICES for number in case.texted)
        _expect_equal(texted, wanted, "texted others than planned")
        _print_table(
            (f"{len(case.texted)} text{'' if len(case.texted) == 1 else 's'}", case.invoice_id,
             case.shows)
            for case in INVOICES
        )  # fmt: skip
        print(f"   Sent {texted.total()} texts. The first one reads:")
        print(f"   {self.world.twilio.messages[0].body}")
        self.before = evidence.footprint(self.world)

    def remind_again(self) -> None:
        """Nobody is texted twice for one step of the schedule."""
        _expect_equal(evidence.footprint(self.world), self.before, "somebody was texted twice")
        print("   Sent nothing.")

    def begin_telling(self) -> None:
        """No history: what there is before the first run counts as notified."""
        _expect_equal(self.world.mail.caught, [], "the first run notified somebody something")
        self.payments = evidence.payment_rows(self.world)
        print("   Sent nothing: landlords are notified of what is new from here on.")

    def notify_landlords(self) -> None:
        """Each landlord who is served reads of each of their new invoices and payments, once."""
        addresses = [str(message["To"]) for message in self.world.mail.caught]
        _expect_equal(len(addresses), len(set(addresses)), "somebody was notified twice")
        wanted = {
            "invoice": evidence.new_invoices(self.world),
            "payment": evidence.payment_rows(self.world) - self.payments,
        }
        _expect_equal(
            evidence.notified(self.world), wanted, "landlords were notified of something else"
        )
        letters = [text_of(message) for message in self.world.mail.caught]
        print(
            f"   Sent {len(addresses)} e-mails about {wanted['invoice']} invoices and"
            f" {wanted['payment']} payments. One of them reads:"
        )
        readable = max((one for one in letters if len(one) < LONG), key=len, default=letters[0])
        print(textwrap.indent(readable.strip(), "   | ", lambda line: True))

    def owe(self) -> None:
        """By age, by landlord; all of it is what the invoices say."""
        found = evidence.owed(self.world, self.today)
        _expect_equal(found.all.total, evidence.owed_cents(self.world), "another sum is owed")
        ages = [age.value for age in found.all.cents]
        rows = [
            (one.landlord_id or "all", *(format_rands(c).rjust(12) for c in one.cents.values()))
            for one in (*found.landlords, found.all)
        ]
        _print_table([("", *(age.rjust(12) for age in ages)), *rows])

    def explain(self) -> None:
        """The timeline of one lease, as `leaseup-dagster explain` prints it."""
        _expect_equal(evidence.footprint(self.world), self.before, "explaining made something")
        print(textwrap.indent(evidence.timeline(self.world, EXPLAINED, self.today), "   "))

    def cancel(self) -> None:
        """Archived at Paystack, CANCELLED in LeaseUp, and not planned again."""
        code, where = evidence.cancelled(self.world, CANCELLED)
        wanted = evidence.Cancelled(archived=True, status="CANCELLED", state="cancelled")
        _expect_equal(where, wanted, "it was not cancelled everywhere")
        eligibility = evidence.eligibilities(self.world, self.today)[CANCELLED]
        _expect_equal(eligibility, SkipReason.CANCELLED_BY_PERSON, "it would be billed again")
        print(f"   Paystack: {code} is archived. LeaseUp: the invoice is {where.status}.")
        print(f"   Tomorrow's plan skips {CANCELLED}: {SkipReason(eligibility).meaning}")

    def conclude(self) -> None:
        """One payment request for each lease and due date; the two sides agree."""
        at_paystack = evidence.months_at_paystack(self.world)
        ours = Counter(row.key for row in evidence.billed(self.world))
        _expect_equal(at_paystack, ours, "Paystack and LeaseUp disagree")
        _expect_equal(set(at_paystack.values()), {1}, "a month has more than one payment request")
        print(
            f"Paystack has exactly one payment request for each lease and due date:"
            f" {at_paystack.total()} of {len(ours)}, without the one that was cancelled."
        )


@dataclass(frozen=True)
class Step:
    """A job, the op of it that takes the day, what to say before it and what to check after."""

    job: str
    op: str
    intro: str
    verify: Callable[[Demo], None]
    config: Callable[[Demo], dict[str, Any]] = lambda demo: {"as_of": demo.today.isoformat()}
    first: Callable[[Demo], None] = lambda demo: None


def _explained(demo: Demo) -> dict[str, Any]:
    return {"lease_id": EXPLAINED, "as_of": demo.today.isoformat()}


def _tonight(demo: Demo) -> dict[str, Any]:
    # The stand-in dates what it makes by the real clock, whatever day is shown.
    return {"since": (resolve_as_of("") - timedelta(days=1)).isoformat()}


def _taken_back(demo: Demo) -> dict[str, Any]:
    due = next(row.key.due_date for row in evidence.billed(demo.world)
               if row.key.lease_id == CANCELLED)  # fmt: skip
    month = {"lease_id": CANCELLED, "due_date": due.isoformat()}
    return {**month, "reason": "agreed with the tenant: first month free", "confirm": True}


_CHECK = "check_upcoming_invoices"
STEPS = [
    Step("tell_landlords", "begin_telling", "the first time", Demo.begin_telling),
    Step("preview_upcoming_invoices", "preview_invoices", "what would be billed", Demo.preview),
    Step(_CHECK, "plan_invoices", "bills it; one answer of Paystack gets lost", Demo.check),
    Step(_CHECK, "plan_invoices", "once more", Demo.check_again),
    Step("reconcile_payment_requests", "cut_into_weeks", "two tenants pay; then the night",
         Demo.reconcile, _tonight, Demo.pay),
    Step("send_late_payment_reminders", "mark_overdue_invoices", "texts the late", Demo.remind),
    Step("send_late_payment_reminders", "mark_overdue_invoices", "once more", Demo.remind_again),
    Step("explain_lease", "explain_one_lease", "one lease's timeline", Demo.explain, _explained),
    Step("cancel_invoice", "choose_invoices_to_cancel", "cancels one invoice", Demo.cancel,
         _taken_back),
    Step("tell_landlords", "begin_telling", "each landlord's e-mail of the day",
         Demo.notify_landlords),
    Step("report_arrears", "add_up_arrears", "who owes how much, for how long", Demo.owe),
]  # fmt: skip


def run(today: date) -> None:
    """The whole demo. Raises Unexpected with the reason when it shows something else."""
    print(f"LeaseUp's rent, billed on {today:%A, %d %B %Y}, on this machine alone.", flush=True)
    with a_world() as world:
        lay_out(world, today)
        print(f"PostgreSQL with {len(LEASES)} leases; stand-ins for Paystack and Twilio.")
        world.paystack.faults.on_create(Fault.drop_after_accepting(), matching="lease-answer-lost")
        demo = Demo(world, today)
        for number, step in enumerate(STEPS, start=1):
            print(f"\n{number}. {step.job}: {step.intro}", flush=True)
            start = time.monotonic()
            step.first(demo)
            if not world.execute(step.job, {step.op: step.config(demo)}):
                raise Unexpected(f"{step.job} failed:\n\n{world.log_tail()}")
            step.verify(demo)
            print(f"   ({time.monotonic() - start:.1f} s)")
        print()
        demo.conclude()


def _expect_equal(found: object, wanted: object, otherwise: str) -> None:
    if found != wanted:
        raise Unexpected(f"{otherwise}:\n   found  {found}\n   wanted {wanted}")


def _print_table(rows: Iterable[Sequence[Any]]) -> None:
    known = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*known, strict=True)]
    for row in known:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("     " + "  ".join(cells).rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="leaseup_dagster.sandbox.demo")
    parser.add_argument("--today", default="", help="YYYY-MM-DD, to see it on another day")
    try:
        run(resolve_as_of(parser.parse_args().today))
    except Unexpected as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
