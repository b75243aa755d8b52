"""Debian's PostgreSQL as a server that a test can stop, copy and promote."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from hostile.conftest import needed
from leaseup_dagster.database.schema import migrate
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.sandbox.postgres import Postgres
from tests.deploy.deployment import a_free_port


def programs() -> Path:
    """The folder with the programs of the newest installed PostgreSQL."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else Path(needed("initdb", "postgresql")).parent


def run_command(*command: object, as_postgres: bool = False) -> None:
    """Run a command. Raises AssertionError with its output when it fails."""
    done = _run(command, as_postgres=as_postgres)
    assert done.returncode == 0, done.stderr or done.stdout


def _run(command: Sequence[object], *, as_postgres: bool) -> "subprocess.CompletedProcess[str]":
    """PostgreSQL refuses to run as root, so root runs it as `postgres`."""
    prefix = ["runuser", "-u", "postgres", "--"] if as_postgres and os.getuid() == 0 else []
    return subprocess.run(
        [*prefix, *map(str, command)], check=False, capture_output=True, text=True, cwd="/"
    )


@dataclass
class Server:
    """A cluster in `folder/data` that listens on `port` of the loopback interface."""

    folder: Path
    port: int
    options: str = ""

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 {self.options}"
        self._control("start", "-w", "-t", 60, "-l", self.folder / "log", "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server. `immediate` is a crash: the next start recovers from the WAL."""
        self._control("stop", "-w", "-m", mode)

    def promote(self) -> None:
        """Make a standby the primary."""
        self._control("promote", "-w")

    def is_running(self) -> bool:
        """Whether the server is running."""
        status = (programs() / "pg_ctl", "status", "-D", self.data)
        return _run(status, as_postgres=True).returncode == 0

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """The rows of a statement, which is committed at once."""
        engine = create_engine(engine_url(self.url(database)), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                result = connection.execute(text(statement))
                return list(result) if result.returns_rows else []
        finally:
            engine.dispose()

    def make_leaseup(self, database: str) -> str:
        """Create a database with LeaseUp's tables and ours. Returns its URL."""
        made = Postgres(self.url())
        made.create_leaseup(database)
        made.close()
        engine = create_engine(engine_url(self.url(database)))
        migrate(engine)
        engine.dispose()
        return self.url(database)

    def _control(self, what: str, *arguments: object) -> None:
        run_command(programs() / "pg_ctl", what, "-D", self.data, *arguments, as_postgres=True)


@contextmanager
def a_server(
    options: str = "",
    initdb: tuple[str, ...] = (),
    within: Path | None = None,
    hba: str = "",
) -> Iterator[Server]:
    """A new server, stopped and deleted at the end. `hba` replaces its pg_hba.conf, which trusts
    every local user."""
    with a_folder(within) as folder:
        server = Server(folder, a_free_port(), options)
        where = ("-D", server.data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        run_command(programs() / "initdb", *where, *initdb, as_postgres=True)
        if hba:
            (server.data / "pg_hba.conf").write_text(hba)
        server.start()
        try:
            yield server
        finally:
            if server.is_running():
                server.stop("immediate")


@contextmanager
def a_standby(primary: Server) -> Iterator[Server]:
    """A streaming standby of `primary`."""
    with a_folder() as folder:
        standby = Server(folder, a_free_port())
        where = ("-h", "127.0.0.1", "-p", primary.port, "-U", "postgres", "-D", standby.data)
        run_command(programs() / "pg_basebackup", *where, "-R", "-X", "stream", "-c", "fast",
            as_postgres=True)  # fmt: skip
        standby.start()
        try:
            yield standby
        finally:
            if standby.is_running():
                standby.stop("immediate")


@contextmanager
def a_folder(within: Path | None = None) -> Iterator[Path]:
    """A temporary folder that the server may use."""
    with TemporaryDirectory(prefix="leaseup-server-", dir=within) as name:
        folder = Path(name)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        yield folder


@contextmanager
def a_small_disk(megabytes: int) -> Iterator[Path]:
    """A file system of this size. Only root may mount one; otherwise the test is skipped."""
    if os.getuid() != 0:
        pytest.skip("only root may mount a small disk")
    with TemporaryDirectory(prefix="leaseup-disk-") as name:
        run_command("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", name)
        try:
            shutil.chown(name, "postgres")
            yield Path(name)
        finally:
            run_command("umount", "-l", name)
