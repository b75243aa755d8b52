"""`make dev`: the demo's world kept up, with Dagster's UI and daemon, until Ctrl-C.

Some days of runs come first, so that the pages of the UI have something to show.
"""

import argparse
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.sandbox.past import lay_out_past
from leaseup_dagster.sandbox.world import World, a_world

Dagster: TypeAlias = "subprocess.Popen[bytes]"

_OPERATOR = "+27821110000"
"""Who is texted when a run fails."""

_HELP = """
Dagster's UI      {ui}
Paystack's books  {paystack}/_sandbox/state
Pay as a tenant   {paystack}/pay
Texts sent        {twilio}/_sandbox/messages
E-mails sent      {mail}/mail
Dagster's output  {log}

In another shell, where the .env is this world's:

  cd {work}
  {python} -m leaseup_dagster.sandbox.add_tenant --name "Lindiwe Khumalo"
  {leaseup} run check_upcoming_invoices

Ctrl-C stops everything and deletes it.
"""


def run(port: int, days: int) -> None:
    """Until asked to stop, by KeyboardInterrupt. Raises RuntimeError when Dagster ends itself."""
    with serving(port, days) as (world, dagster, ui):
        print(_instructions(world, ui), flush=True)
        world.children.wait(dagster)
        raise RuntimeError(f"Dagster ended:\n\n{world.log_tail()}")


@contextmanager
def serving(port: int, days: int) -> Iterator[tuple[World, Dagster, str]]:
    """The demo's world with Dagster's UI at the address given last, once it answers.

    Raises RuntimeError when Dagster does not start.
    """
    ui = f"http://127.0.0.1:{port}"
    with a_world(ALERT_UI_URL=ui, ALERT_SMS_NUMBERS=_OPERATOR) as world:
        lay_out_past(world, resolve_as_of(""), days)
        print("Starting Dagster …", flush=True)
        where = ("-w", str(world.workspace), "-h", "127.0.0.1", "-p", str(port))
        dagster = world.dagster("dev", *where)
        if world.children.wait(dagster, until=lambda: _answers(ui)) is not None:
            raise RuntimeError(f"Dagster ended:\n\n{world.log_tail()}")
        yield world, dagster, ui


def _answers(ui: str) -> bool:
    try:
        with urllib.request.urlopen(f"{ui}/server_info", timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _instructions(world: World, ui: str) -> str:
    python = Path(sys.executable)
    return _HELP.format(
        ui=ui,
        paystack=world.paystack.url,
        twilio=world.twilio.url,
        mail=world.mail_page.url,
        log=world.log,
        work=world.working_directory,
        python=python,
        leaseup=python.with_name("leaseup-dagster"),
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--history", type=int, default=3, help="days of runs to begin with")
    given = parser.parse_args()
    if not _is_free(given.port):
        print(f"Port {given.port} is in use. Choose another: make dev PORT=3001", file=sys.stderr)
        return 1
    try:
        run(given.port, given.history)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
