"""Tests with the servers of real deployments: Debian's PostgreSQL, PgBouncer and RabbitMQ.

A test is skipped where its server is not installed; in CI it fails instead.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from leaseup_dagster.sandbox.postgres import Postgres
from tests.conftest import *  # noqa: F403 - the same fixtures
from tests.conftest import until
from tests.deploy.deployment import a_free_port


def needed(program: str, package: str) -> str:
    """The path of an installed program. Debian keeps servers out of a user's PATH.

    Skips the test where it is not installed, or fails it in CI.
    """
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed: apt-get install {package}")
    if found is None:
        pytest.skip(f"{program} is not installed: apt-get install {package}")
    return found


@pytest.fixture(scope="session")
def pooler(postgres: Postgres) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode. It has three connections for each database, so
    that clients share them."""
    program = needed("pgbouncer", "pgbouncer")
    socket = make_url(postgres.url("postgres")).query["host"]
    port = a_free_port()
    with tempfile.TemporaryDirectory(prefix="pooler-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={socket} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
            "default_pool_size = 3\nmax_client_conn = 200\nserver_round_robin = 1\n"
        )
        # PgBouncer refuses to run as root. The owner of the socket may use it.
        owner = pwd.getpwuid(os.stat(f"{socket}/.s.PGSQL.5432").st_uid).pw_name
        user = ["-u", owner] if os.getuid() == 0 else []
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, *user, str(folder / "pgbouncer.ini")], stdout=log, stderr=log
            )
        try:
            until(
                lambda: "process up" in (folder / "log").read_text() or process.poll() is not None
            )
            assert process.poll() is None, (folder / "log").read_text()
            yield port
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def through(pooler: int, database_url: str) -> str:
    """The URL of this test's database through the pooler, as in LeaseUp's `.env`."""
    name = make_url(database_url).database
    return (
        f"postgresql://postgres@127.0.0.1:{pooler}/{name}"
        "?pgbouncer=true&connection_limit=5&sslmode=disable"
    )
