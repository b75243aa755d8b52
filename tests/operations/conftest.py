"""Operators with a phone and an inbox: Twilio's stand-in, and a service that Apprise posts to."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import pytest

from leaseup_dagster.sandbox.twilio import ACCOUNT, TOKEN, TwilioStandIn

PHONE = "+27821234567"


class Inbox:
    """What was posted to it. `status` is what it answers."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status = 200
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posted = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.messages.append(json.loads(posted))
                self.send_response(inbox.status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"json://127.0.0.1:{self._server.server_port}/canarytoken"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Of this test alone: what was alerted is kept on the runs."""
    with dg.DagsterInstance.ephemeral() as own:
        yield own


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.close()


@pytest.fixture
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def operators(
    settings: pytest.MonkeyPatch, twilio: TwilioStandIn, inbox: Inbox
) -> pytest.MonkeyPatch:
    """The environment of operators with both; tenants are not texted."""
    for name, value in {
        "SMS_ENABLED": "false",
        "SMS_PROVIDER": "twilio",
        "SMS_API_KEY": ACCOUNT,
        "SMS_API_SECRET": TOKEN,
        "SMS_FROM_NUMBER": "LeaseUp",
        "TWILIO_BASE_URL": twilio.url,
        "ALERT_SMS_NUMBERS": "082 123 4567",
        "ALERT_URLS": inbox.address,
        "ALERT_UI_URL": "https://dagster.example.com",
    }.items():
        settings.setenv(name, value)
    return settings


Failed = Callable[[dg.ExecuteInProcessResult, dg.DagsterInstance], None]


@pytest.fixture
def told_of_failure() -> Failed:
    """The sensor, as the daemon calls it with the failure of a run."""
    from leaseup_dagster.definitions import defs
    from leaseup_dagster.operations.jobs import failed_runs

    def tell(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> None:
        (event,) = [event for event in result.all_events if event.is_run_failure]
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs",
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            repository_def=defs.get_repository_def(),
        ).for_run_failure()
        failed_runs(context)

    return tell
