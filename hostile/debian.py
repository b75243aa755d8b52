"""Debian's PostgreSQL: a server of its own that can be stopped, copied and promoted."""

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
    """Where the newest PostgreSQL that Debian has installed keeps its programs."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else Path(needed("initdb", "postgresql")).parent


def ran(*command: object, as_postgres: bool = False) -> None:
    done = _run(command, as_postgres=as_postgres)
    assert done.returncode == 0, done.stderr or done.stdout


def _run(command: Sequence[object], *, as_postgres: bool) -> "subprocess.CompletedProcess[str]":
    """The server refuses to be root's: root becomes `postgres` for it."""
    who = ["runuser", "-u", "postgres", "--"] if as_postgres and os.getuid() == 0 else []
    return subprocess.run(
        [*who, *map(str, command)], check=False, capture_output=True, text=True, cwd="/"
    )


@dataclass
class Server:
    """A cluster in `folder/data` that listens on `port` of this machine only."""

    folder: Path
    port: int
    options: str = ""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 {self.options}"
        self._control("start", "-w", "-t", 60, "-l", self.folder / "log", "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: what was not yet written is in the log of changes or is gone."""
        self._control("stop", "-w", "-m", mode)

    def promote(self) -> None:
        self._control("promote", "-w")

    def runs(self) -> bool:
        status = (programs() / "pg_ctl", "status", "-D", self.data)
        return _run(status, as_postgres=True).returncode == 0

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        engine = create_engine(engine_url(self.url(database)), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                result = connection.execute(text(statement))
                return list(result) if result.returns_rows else []
        finally:
            engine.dispose()

    def make_leaseup(self, database: str) -> str:
        """A database with LeaseUp's tables and ours; its URL."""
        made = Postgres(self.url())
        made.create_leaseup(database)
        made.close()
        engine = create_engine(engine_url(self.url(database)))
        migrate(engine)
        engine.dispose()
        return self.url(database)

    def _control(self, what: str, *arguments: object) -> None:
        ran(programs() / "pg_ctl", what, "-D", self.data, *arguments, as_postgres=True)


@contextmanager
def a_server(
    options: str = "",
    initdb: tuple[str, ...] = (),
    within: Path | None = None,
    who_may: str = "",
) -> Iterator[Server]:
    """A new one, running; gone on the way out, however it stands by then. `who_may`, if given, is
    its pg_hba.conf; without it everybody on this machine may."""
    with a_folder(within) as folder:
        server = Server(folder, a_free_port(), options)
        where = ("-D", server.data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        ran(programs() / "initdb", *where, *initdb, as_postgres=True)
        if who_may:
            (server.data / "pg_hba.conf").write_text(who_may)
        server.start()
        try:
            yield server
        finally:
            if server.runs():
                server.stop("immediate")


@contextmanager
def a_standby(primary: Server) -> Iterator[Server]:
    """A copy that follows `primary`, a moment behind."""
    with a_folder() as folder:
        standby = Server(folder, a_free_port())
        where = ("-h", "127.0.0.1", "-p", primary.port, "-U", "postgres", "-D", standby.data)
        ran(programs() / "pg_basebackup", *where, "-R", "-X", "stream", "-c", "fast",
            as_postgres=True)  # fmt: skip
        standby.start()
        try:
            yield standby
        finally:
            if standby.runs():
                standby.stop("immediate")


@contextmanager
def a_folder(within: Path | None = None) -> Iterator[Path]:
    with TemporaryDirectory(prefix="leaseup-server-", dir=within) as name:
        folder = Path(name)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        yield folder


@contextmanager
def a_small_disk(megabytes: int) -> Iterator[Path]:
    """A folder that holds no more; only root may mount one."""
    if os.getuid() != 0:
        pytest.skip("a small disk is mounted by root")
    with TemporaryDirectory(prefix="leaseup-disk-") as name:
        ran("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", name)
        try:
            shutil.chown(name, "postgres")
            yield Path(name)
        finally:
            ran("umount", "-l", name)
