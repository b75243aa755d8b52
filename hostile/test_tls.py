"""A PostgreSQL that speaks TLS, with an authority of its own: what each way of writing it does."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from hostile.conftest import needed
from hostile.debian import a_folder, a_server, ran
from leaseup_dagster.database.url import engine_url


def certificates(folder: Path, name: str) -> None:
    """An authority, and what it signed for a server of this name."""
    openssl = ("openssl", "req", "-nodes", "-newkey", "rsa:2048", "-keyout")
    ran(*openssl, folder / "ca.key", "-x509", "-out", folder / "ca.pem", "-subj", "/CN=ca")
    ran(*openssl, folder / "server.key", "-out", folder / "server.csr", "-subj", f"/CN={name}")
    (folder / "names").write_text(f"subjectAltName=DNS:{name}")
    ran("openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem",
        "-CAkey", folder / "ca.key", "-CAcreateserial", "-out", folder / "server.pem",
        "-extfile", folder / "names")  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    """Its address, by name and by a TLS connection only, and the folder with the authority."""
    needed("openssl", "openssl")
    with a_folder() as folder:
        certificates(folder, "localhost")
        if os.getuid() == 0:
            ran("chown", "-R", "postgres", folder)
        folder.chmod(0o755)
        tls = f"-c ssl=on -c ssl_cert_file={folder}/server.pem -c ssl_key_file={folder}/server.key"
        with a_server(tls, within=folder, who_may="hostssl all all all trust\n") as server:
            yield f"postgresql://postgres@localhost:{server.port}/postgres", folder


def is_encrypted(url: str) -> bool:
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
def test_it_is_encrypted(query: str, server: tuple[str, Path], tmp_path: Path) -> None:
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


def test_without_encryption_it_is_not_reached(server: tuple[str, Path]) -> None:
    with pytest.raises(OperationalError, match="no encryption"):
        is_encrypted(f"{server[0]}?sslmode=disable")


@pytest.mark.parametrize(
    ("query", "fits"), [("sslcert={ca}", True), ("sslcert={ca}&sslaccept=strict", False)]
)
def test_the_name_is_looked_at_where_it_is_strict(
    query: str, fits: bool, server: tuple[str, Path]
) -> None:
    url, folder = server
    by_number = url.replace("localhost", "127.0.0.1") + "?" + query.format(ca=folder / "ca.pem")

    if fits:
        assert is_encrypted(by_number)
    else:
        with pytest.raises(OperationalError, match="does not match host name"):
            is_encrypted(by_number)
