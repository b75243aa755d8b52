"""What operators read: short, plain, with a link; nothing of a stack."""

from leaseup_dagster.operations import alert

UI = "https://dagster.example.com/"
RUN = "1a2b3c4d-0000-4000-8000-000000000000"


def test_a_failed_run_is_told_with_job_run_reason_and_link() -> None:
    reason = "dagster._core.definitions.events.Failure: 1 of 40 failed:\n  lease-7: no unit\n"

    sent = alert.failed_run("check_upcoming_invoices", RUN, [reason], UI)

    assert sent.subject == "check_upcoming_invoices failed"
    assert sent.body == "Run 1a2b3c4d: 1 of 40 failed: lease-7: no unit"
    assert sent.link == f"https://dagster.example.com/runs/{RUN}"


def test_a_run_whose_process_died_has_no_step_to_quote() -> None:
    sent = alert.failed_run("check_upcoming_invoices", RUN, [], UI)

    assert sent.body == "Run 1a2b3c4d: its process died, or it never began"


def test_more_failed_steps_are_counted() -> None:
    assert alert.failed_run("j", RUN, ["first", "second", "third"], UI).body.endswith(
        "first (and 2 more steps)"
    )


def test_a_text_message_is_short_and_keeps_its_link() -> None:
    text = alert.failed_run("check_upcoming_invoices", RUN, ["long " * 200], UI).as_text_message()

    assert len(text) <= 300
    assert text.startswith("LeaseUp: check_upcoming_invoices failed. Run 1a2b3c4d: long long")
    assert text.endswith(f"... https://dagster.example.com/runs/{RUN}")


def test_silence_says_since_when_and_what_was_tried() -> None:
    sent = alert.silence("check_upcoming_invoices", 26, "2026-11-22 07:01", 2, UI)

    assert sent.subject == "check_upcoming_invoices has not succeeded for more than 26 hours"
    assert "Its last success: 2026-11-22 07:01; 2 of its runs failed since." in sent.body
    assert sent.link == "https://dagster.example.com/automation"
