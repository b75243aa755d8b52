"""What `make build` left in dist/ works from anywhere: installed in a new environment, started."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = (
    "leaseup_dagster/py.typed",
    "leaseup_dagster/sandbox/leaseup.sql",
    "leaseup_dagster/landlords/templates/daily.html",
    "leaseup_dagster/landlords/templates/daily.txt",
    "leaseup_dagster/database/migrations/env.py",
    "leaseup_dagster/database/migrations/versions/0001_ledgers.py",
)


def the_only(pattern: str) -> Path:
    (found,) = (ROOT / "dist").glob(pattern)
    return found


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment's programs, far from this checkout."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    pip: list[str | Path] = [
        home / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "-c",
        "constraints.txt",
    ]
    subprocess.run([*pip, the_only("*.whl")], check=True, cwd=ROOT)
    return home / "bin"


def started(program: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False,
        cwd=program.parent, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def test_what_is_not_python_is_in_both() -> None:
    with zipfile.ZipFile(the_only("*.whl")) as wheel:
        assert not set(DATA) - set(wheel.namelist())
    with tarfile.open(the_only("*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
        assert not {*DATA, "README.md", "LICENSE", "pyproject.toml"} - names


def test_no_test_is_in_the_wheel() -> None:
    with zipfile.ZipFile(the_only("*.whl")) as wheel:
        tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"leaseup_dagster"}


def test_it_says_its_version(installed: Path) -> None:
    said = started(installed / "leaseup-dagster", "--version")

    assert said.returncode == 0, said.stderr
    assert the_only("*.whl").name.split("-")[1] in said.stdout


def test_the_code_location_loads(installed: Path) -> None:
    code = "from leaseup_dagster.definitions import defs; print(len(defs.resolve_all_job_defs()))"
    said = started(installed / "python", "-W", "ignore", "-c", code)

    assert said.returncode == 0, said.stderr
    assert int(said.stdout) > 10


def test_without_settings_it_names_what_is_missing(installed: Path) -> None:
    said = started(installed / "leaseup-dagster", "check")

    assert said.returncode == 1
    assert "DATABASE_URL" in said.stdout + said.stderr
