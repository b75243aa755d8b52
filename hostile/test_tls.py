"""PostgreSQL with TLS and an authority of its own, and each spelling of the settings in a URL."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from hostile.conftest import needed
from hostile.debian import a_folder, a_server, run_command
from leaseup_dagster.database.url import engine_url


def certificates(folder: Path, name: str) -> None:
    """Create an authority, and a certificate that it signed for a server of this name."""
    openssl = ("openssl", "req", "-nodes", "-newkey", "rsa:2048", "-keyout")
    run_command(*openssl, folder / "ca.key", "-x509", "-out", folder / "ca.pem", "-subj", "/CN=ca")
    run_command(
        *openssl, folder / "server.key", "-out", folder / "server.csr", "-subj", f"/CN={name}"
    )
    (folder / "names").write_text(f"subjectAltName=DNS:{name}")
    run_command("openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem",
        "-CAkey", folder / "ca.key", "-CAcreateserial", "-out", folder / "server.pem",
        "-extfile", folder / "names")  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    """The URL of a server that accepts TLS only, and the folder with its authority."""
    needed("openssl", "openssl")
    with a_folder() as folder:
        certificates(folder, "localhost")
        if os.getuid() == 0:
            run_command("chown", "-R", "postgres", folder)
        folder.chmod(0o755)
        tls = f"-c ssl=on -c ssl_cert_file={folder}/server.pem -c ssl_key_file={folder}/server.key"
        with a_server(tls, within=folder, hba="hostssl all all all trust\n") as server:
            yield f"postgresql://postgres@localhost:{server.port}/postgres", folder


def is_encrypted(url: str) -> bool:
    """Whether a connection to `url` uses TLS."""
    engine = create_engine(engine_url(url))
    try:
        with engine.connect() as connection:
            asked = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            return bool(connection.execute(asked).scalar())
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    "query",
    [
        "", "sslmode=require", "sslmode=no-verify", "ssl=true", "sslcert={ca}",
        "sslmode=require&sslcert={ca}", "sslcert={ca}&sslaccept=strict",
        "sslmode=verify-full&sslrootcert={ca}", "sslaccept=accept_invalid_certs&sslcert={other}",
    ],
)  # fmt: skip
def test_the_connection_is_encrypted(query: str, server: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = server
    certificates(tmp_path, "other")
    filled = query.format(ca=folder / "ca.pem", other=tmp_path / "ca.pem")

    assert is_encrypted(f"{url}?{filled}")


@pytest.mark.parametrize(
    "query", ["sslcert={other}", "sslmode=verify-full&sslrootcert={other}", "sslaccept=strict"]
)
def test_another_authority_is_refused(query: str, server: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = server
    certificates(tmp_path, "other")

    with pytest.raises(OperationalError, match="certificate verify failed"):
        is_encrypted(f"{url}?{query.format(other=tmp_path / 'ca.pem')}")


def test_a_connection_without_tls_is_refused(server: tuple[str, Path]) -> None:
    with pytest.raises(OperationalError, match="no encryption"):
        is_encrypted(f"{server[0]}?sslmode=disable")


@pytest.mark.parametrize(
    ("query", "fits"), [("sslcert={ca}", True), ("sslcert={ca}&sslaccept=strict", False)]
)
def test_the_host_name_is_checked_only_when_strict(
    query: str, fits: bool, server: tuple[str, Path]
) -> None:
    url, folder = server
    by_address = url.replace("localhost", "127.0.0.1") + "?" + query.format(ca=folder / "ca.pem")

    if fits:
        assert is_encrypted(by_address)
    else:
        with pytest.raises(OperationalError, match="does not match host name"):
            is_encrypted(by_address)
