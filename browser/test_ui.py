"""What a person does in Dagster's UI, in a real browser: `make browser`.

Each screen is left as a picture in `browser/screenshots`.
"""

import re
from datetime import timedelta

from playwright.sync_api import expect

from browser.conftest import LOCATION, Ui
from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.sandbox.builders import a_landlord, a_tenant, number_from
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.world import World

CHECK = "check_upcoming_invoices"


OPERATOR = "+27821110000"


def config_of(step: str, **written: str) -> str:
    lines = [f"      {name}: {value}" for name, value in written.items()]
    return "\n".join(["ops:", f"  {step}:", "    config:", *lines, ""])


def launch(ui: Ui, as_of: str) -> str:
    return ui.launch(CHECK, config_of("plan_invoices", as_of=f"'{as_of}'"), shot="launchpad")


def ended(ui: Ui, run_id: str) -> str:
    return ui.ended(CHECK, run_id)


# First, while the newest runs are those of the last mornings.
def test_the_morning_is_a_page_for_the_bookkeeper(ui: Ui) -> None:
    """What went out, for which landlords; who is late and by how much."""
    page = ui.open("/assets")
    expect(page.get_by_text("reminders").first).to_be_visible()
    ui.shot("catalog")
    page = ui.open("/assets/invoices?view=events")
    expect(page.get_by_text("Materialized in run").first).to_be_visible()
    ui.shot("morning")
    page.get_by_text("7:00 AM").nth(2).click()  # the first of three: it billed the most
    ui.read()
    expect(page.get_by_text("all landlords").last).to_be_visible()
    ui.shot("morning-report")

    page = ui.open("/assets/reminders?view=overview")
    expect(page.get_by_text("Made by send_late_payment_reminders")).to_be_visible()
    ui.read()
    page.get_by_text("still owed").scroll_into_view_if_needed()
    ui.shot("reminders")
    page.get_by_text("total, each invoice once").last.scroll_into_view_if_needed()
    ui.shot("reminders-total")
    page = ui.open("/assets/reminders?view=overview")
    page.get_by_role("button", name="Plots").click()
    expect(page.locator("canvas").first).to_be_visible()
    ui.shot("reminders-plots")


def test_a_job_is_found_by_its_name_and_a_run_by_what_it_is_for(ui: Ui) -> None:
    page = ui.open("/jobs")
    expect(page.get_by_text("preview_upcoming_invoices")).to_be_visible()
    ui.shot("jobs")
    page.locator(".CodeMirror").first.click()
    page.keyboard.type("preview")
    page.keyboard.press("Enter")
    expect(page.get_by_text(CHECK)).to_be_hidden()
    ui.shot("jobs-found")
    page = ui.open(f"{LOCATION}/jobs/cancel_invoice")
    expect(page.get_by_text("leaseup/for: manual")).to_be_visible()
    ui.shot("job")
    page = ui.open("/runs?q[0]=tag:leaseup/for=daily")
    expect(page.get_by_text("leaseup/for: daily").first).to_be_visible()
    ui.shot("runs-daily")


def test_a_preview_is_the_page_of_the_real_run(ui: Ui) -> None:
    job, day = "preview_upcoming_invoices", resolve_as_of("") + timedelta(days=15)
    run_id = ui.launch(job, config_of("preview_invoices", as_of=f"'{day}'"))
    assert ui.ended(job, run_id) == "SUCCESS"

    page = ui.open(f"/runs/{run_id}")
    expect(page.get_by_text("Nothing was written, nobody was called.").first).to_be_visible()
    ui.shot("preview-log")
    page.get_by_text("[Show Markdown]").first.click()
    for section in ("by landlord", "would bill", "would skip"):
        expect(page.get_by_text(section, exact=True).last).to_be_visible()
    ui.shot("preview")


def test_an_invoice_is_looked_at_before_it_is_taken_back(ui: Ui) -> None:
    job, step = "cancel_invoice", "choose_invoices_to_cancel"
    due = resolve_as_of("") + timedelta(days=12)
    named = {"lease_id": "lease-plain", "due_date": f"'{due}'"}
    run_id = ui.launch(job, config_of(step, **named, confirm="false"), shot="cancel")
    assert ui.ended(job, run_id) == "SUCCESS"
    page = ui.open(f"/runs/{run_id}")
    page.get_by_text("[Show Markdown]").first.click()
    expect(page.get_by_text("what confirm: true does").last).to_be_visible()
    ui.shot("cancel-preview")

    run_id = ui.launch(job, config_of(step, **named, confirm="true"))
    assert ui.ended(job, run_id) == "FAILURE"
    page = ui.open(f"/runs/{run_id}")
    expect(page.get_by_text("reason is empty: say in a few words").first).to_be_visible()
    ui.shot("cancel-without-reason")


def test_a_slip_wakes_nobody_and_its_sentence_is_read_last(ui: Ui, world: World) -> None:
    job = "create_invoice"
    run_id = ui.launch(job, config_of("plan_one_invoice", lease_id="lease-plian"))
    assert ui.ended(job, run_id) == "FAILURE"

    page = ui.open(f"/runs/{run_id}")
    last = page.get_by_text("Why the run failed, and what to do:")
    expect(last).to_be_visible(timeout=90_000)
    expect(page.get_by_text("leaseup/told")).to_be_hidden()
    ui.shot("slip")
    assert not any(run_id in text for text in world.twilio.texts_to(OPERATOR))


def test_a_person_launches_a_day_and_reads_its_report(ui: Ui) -> None:
    run_id = launch(ui, resolve_as_of("").isoformat())
    assert ended(ui, run_id) == "SUCCESS"

    page = ui.open(f"/runs/{run_id}")
    expect(page.get_by_text("report_invoicing").first).to_be_visible()
    ui.shot("run")
    page.get_by_text("[Show Markdown]").first.click()

    expect(page.get_by_text("skipped by reason").first).to_be_visible()
    ui.shot("report")


def test_the_timeline_shows_the_last_hours(ui: Ui) -> None:
    page = ui.open("/timeline")
    page.get_by_text("24hr").click()
    expect(page.get_by_role("link", name=CHECK)).to_be_visible()
    ui.shot("timeline")
    page.get_by_role("button", name="Now", exact=True).locator("xpath=preceding::button[1]").click()
    page.wait_for_timeout(3_000)
    ui.shot("timeline-before")


def test_the_mornings_are_plotted_and_the_checks_are_there(ui: Ui) -> None:
    """Of the portfolio one invoice was deleted and one rent raised: the checks say so."""
    page = ui.open("/assets/invoices?view=overview")
    page.get_by_role("button", name="Plots").click()
    expect(page.locator("canvas").first).to_be_visible()
    ui.shot("plots")

    page = ui.open("/assets/invoices?view=checks")
    expect(page.get_by_text("Checks (5)")).to_be_visible()
    expect(page.get_by_text("another amount than the rent: ids")).to_be_visible()
    expect(page.get_by_text("Succeeded").first).to_be_visible()
    ui.shot("checks")


def test_a_schedule_is_switched_off_and_on(ui: Ui) -> None:
    def status() -> str:
        selector = (
            'repositoryLocationName:"leaseup_dagster",repositoryName:"__repository__",'
            'scheduleName:"invoicing_at_seven"'
        )
        asked = f"{{scheduleOrError(scheduleSelector:{{{selector}}})"
        return str(
            ui.ask(f"{asked}{{...on Schedule{{scheduleState{{status}}}}}}}}")["scheduleOrError"][
                "scheduleState"
            ]["status"]
        )

    page = ui.open(f"{LOCATION}/schedules/invoicing_at_seven")
    toggle = page.locator("label").filter(has=page.locator("input[type=checkbox]")).first
    toggle.wait_for()

    toggle.click()
    ui.until(lambda: status() == "STOPPED")
    ui.shot("schedule_off")
    toggle.click()
    ui.until(lambda: status() == "RUNNING")


def test_a_failed_run_is_told_and_goes_on_from_its_failure(ui: Ui, world: World) -> None:
    """The ledger cannot be written; a person puts it right, and presses one button."""
    broken = "ALTER TABLE leaseup_dagster.invoice_ledger {} CONSTRAINT broken"
    with world.engine.begin() as connection:
        connection.exec_driver_sql(f"{broken.format('ADD')} CHECK (state <> 'planned') NOT VALID")
    run_id = launch(ui, (resolve_as_of("") + timedelta(days=3)).isoformat())
    assert ended(ui, run_id) == "FAILURE"
    with world.engine.begin() as connection:
        connection.exec_driver_sql(broken.format("DROP"))

    page = ui.open(f"/runs/{run_id}")
    expect(page.get_by_text("Errored (1)")).to_be_visible()
    ui.shot("failed_run")
    page.get_by_role("button", name="Re-execute").first.locator(
        "xpath=following::button[1]"
    ).click()
    page.get_by_text("From failure").click()
    ui.until(lambda: ui.runs(CHECK)[0]["runId"] != run_id)

    assert ended(ui, ui.runs(CHECK)[0]["runId"]) == "SUCCESS"
    ui.until(lambda: any(run_id in text for text in world.twilio.texts_to(OPERATOR)))
    page = ui.open(f"/runs/{run_id}")
    expect(page.get_by_text("Why the run failed, and what to do:")).to_be_visible()
    ui.shot("failed_run-alerted")


def test_a_run_at_work_shows_how_far_it_is(ui: Ui, world: World) -> None:
    """One answer of Paystack's is long in coming: the others are counted meanwhile."""
    slow = Fault.hang_before_accepting()
    world.paystack.faults.on_create(slow)
    day = resolve_as_of("") + timedelta(days=15)
    run_id = ui.launch(CHECK, config_of("plan_invoices", as_of=f"'{day}'"))

    said = re.compile(r"Batch 1 of \d: \d+ of \d+ done")
    asked = f'{{logsForRun(runId:"{run_id}"){{...on EventConnection{{events{{...on'
    asked += " MessageEvent{message}}}}}"
    try:
        # The page asks less and less often where nothing happens: up to 16 seconds later.
        ui.until(lambda: bool(said.search(str(ui.ask(asked)))))
        page = ui.open(f"/runs/{run_id}")
        expect(page.get_by_text(said).first).to_be_visible()
        ui.shot("at-work")
    finally:
        slow.release()
    assert ended(ui, run_id) == "SUCCESS"


def test_the_sensors_ticks_are_there(ui: Ui, world: World) -> None:
    with world.engine.begin() as connection:
        number_from(3_000_000)
        a_tenant(connection, a_landlord(connection))
    page = ui.open(f"{LOCATION}/sensors/tenants_without_customer")
    expect(page.get_by_text("1 run requested").first).to_be_visible(timeout=90_000)
    ui.shot("sensor")


def test_the_arrears_have_a_picture(ui: Ui, world: World) -> None:
    today = resolve_as_of("").isoformat()
    assert world.execute("report_arrears", {"add_up_arrears": {"as_of": today}})

    page = ui.open("/assets/arrears?view=overview")
    expect(page.get_by_text("overdue rands").first).to_be_visible()
    ui.shot("arrears")
    page.get_by_text("[Show Markdown]").first.click()

    picture = page.get_by_role("img", name="Arrears by age and by month")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 0
    ui.shot("arrears-picture")
    ui.open("/asset-groups/")
    expect(page.get_by_text("landlord_emails").first).to_be_visible()
    ui.shot("lineage")


def test_a_landlords_e_mail_is_caught(ui: Ui, world: World) -> None:
    """A morning tells of the payments of the noon before."""
    page = ui.page
    page.goto(f"{world.mail_page.url}/mail")
    page.get_by_role("link", name="payment").first.click()
    expect(page.get_by_text("Payments received")).to_be_visible()
    ui.shot("mail")
    page.set_viewport_size({"width": 390, "height": 700})
    ui.shot("mail-on-a-phone")
