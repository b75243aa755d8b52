"""A world ends without a trace, however it ends, and lets nothing of the caller's shell in."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.faults

_WITHIN_SECONDS = 40
POISON = "sk_live_must_never_be_used"


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Not pytest's folder: its long path would not do for PostgreSQL's socket."""
    with tempfile.TemporaryDirectory(prefix="lu-") as folder:
        yield Path(folder)


@pytest.fixture
def demo(tmp_path: Path, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo, in a shell and a directory full of live keys, with a temporary folder to watch."""
    poison = {"PAYSTACK_SECRET_KEY": POISON, "SMS_API_KEY": POISON, "AWS_PROFILE": POISON}
    (tmp_path / ".env").write_text("".join(f"{name}={key}\n" for name, key in poison.items()))
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "leaseup_dagster.sandbox.demo"],
        cwd=tmp_path,
        env={**os.environ, **poison, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=_WITHIN_SECONDS)


def soon(process: subprocess.Popen[str], found: Callable[[], Any]) -> Any:
    """What `found` gives, as soon as it gives something."""
    give_up_at = time.monotonic() + _WITHIN_SECONDS
    while not (result := found()):
        assert process.poll() is None, f"it ended: {process.communicate()[0]}"
        assert time.monotonic() < give_up_at, "it did not come so far"
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    return result


def processes(folder: Path, word: str) -> list[psutil.Process]:
    """Those whose command line names `folder` and `word`."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in (line := str(process.info["cmdline"])) and word in line
    ]


def servers_below(folder: Path) -> list[psutil.Process]:
    """PostgreSQL's server with a data directory in `folder`, and its children."""
    servers = processes(folder, "postgres")
    return servers + [child for server in servers for child in server.children()]


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_interrupted_while_a_job_runs_it_leaves_nothing(
    demo: subprocess.Popen[str], temporary: Path
) -> None:
    jobs = soon(demo, lambda: processes(temporary, "execute"))
    servers = servers_below(temporary)
    environment = jobs[0].environ()

    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=_WITHIN_SECONDS)

    assert demo.returncode == 130, said
    assert "Stopped. Nothing is left running." in said
    assert "Traceback" not in said
    assert len(servers) > 1
    assert [process for process in (*jobs, *servers) if alive(process)] == []
    assert list(temporary.glob("leaseup-*")) == []
    assert environment["PAYSTACK_SECRET_KEY"] == "sk_test_sandbox"
    assert POISON not in environment.values()


def test_told_to_stop_while_it_starts_it_leaves_nothing(
    demo: subprocess.Popen[str], temporary: Path
) -> None:
    """Half started is where an exception raised by the signal itself would leave a server."""
    soon(demo, lambda: list(temporary.glob("leaseup-*/postgres/postmaster.pid")))

    demo.send_signal(signal.SIGTERM)
    said, _ = demo.communicate(timeout=_WITHIN_SECONDS)

    assert demo.returncode == 130, said
    assert servers_below(temporary) == []
    assert list(temporary.glob("leaseup-*")) == []
