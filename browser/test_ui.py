"""What a person does in Dagster's UI, in a real browser: `make browser`.

Each screen is left as a picture in `browser/screenshots`.
"""

from datetime import timedelta

from playwright.sync_api import expect

from browser.conftest import LOCATION, Ui
from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.sandbox.world import World

CHECK = "check_upcoming_invoices"
LAUNCHPAD = f"{LOCATION}/jobs/{CHECK}/playground"


def launch(ui: Ui, as_of: str) -> str:
    """Types a day into the Launchpad's config and presses Launch Run; the run's id."""
    page, before = ui.open(LAUNCHPAD), {run["runId"] for run in ui.runs(CHECK)}
    editor = page.locator(".CodeMirror")
    expect(editor).to_contain_text("as_of")
    config = f"ops:\\n  plan_invoices:\\n    config:\\n      as_of: '{as_of}'\\n"
    editor.evaluate(f'e => e.CodeMirror.setValue("{config}")')
    ui.shot("launchpad")
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/**")
    ui.until(lambda: len(ui.runs(CHECK)) > len(before))
    return ui.runs(CHECK)[0]["runId"]


def ended(ui: Ui, run_id: str) -> str:
    """How the run ended, when it has."""

    def status() -> str:
        (found,) = [run["status"] for run in ui.runs(CHECK) if run["runId"] == run_id]
        return found

    ui.until(lambda: status() in ("SUCCESS", "FAILURE"))
    return status()


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
    ui.until(lambda: any(run_id in text for text in world.twilio.texts_to("+27821110000")))


def test_the_sensors_ticks_are_there(ui: Ui) -> None:
    page = ui.open(f"{LOCATION}/sensors/tenants_without_customer")
    expect(page.get_by_role("row").filter(has_text="runs requested").first).to_be_visible(
        timeout=90_000
    )
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
