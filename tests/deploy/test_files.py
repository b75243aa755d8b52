"""What the files of deploy/ say agrees with the code and with each other."""

import json
import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NAME = "leaseup_dagster"


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


@pytest.fixture(scope="module")
def compose() -> Any:
    return read("deploy/compose.yaml")


def commands(service: dict[str, Any]) -> list[list[str]]:
    check = service.get("healthcheck", {}).get("test", [])
    return [command for command in (service.get("command", []), check[1:]) if command]


def image_instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile and what follows it."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = (line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#")
    return [(word, rest) for word, rest in lines]


def test_helm_has_the_settings_of_dagster_yaml() -> None:
    values, instance = read("deploy/helm-values.yaml"), read("dagster.yaml")
    written_by_the_chart = {"storage", "telemetry"}

    assert values["additionalInstanceConfig"] == {
        key: value for key, value in instance.items() if key not in written_by_the_chart
    }
    assert values["telemetry"] == instance["telemetry"]
    assert values["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2"


def test_the_location_has_one_name_everywhere(compose: Any) -> None:
    """The state of schedules and sensors is kept under it."""
    servers = read("deploy/helm-values.yaml")["dagsterWebserver"]["workspace"]["servers"]
    grpc = read("deploy/workspace.yaml")["load_from"][0]["grpc_server"]
    here = read("workspace.yaml")["load_from"][0]["python_module"]
    dg = [
        line
        for line in (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
        if line.startswith("code_location_name")
    ]

    assert {grpc["location_name"], here["location_name"], servers[0]["name"]} == {NAME}
    assert dg == [f'code_location_name = "{NAME}"']
    assert grpc["host"] in compose["services"]


def test_the_code_server_listens_where_it_is_looked_for(compose: Any) -> None:
    instructions = dict(image_instructions())
    command = json.loads(instructions["CMD"])
    grpc = read("deploy/workspace.yaml")["load_from"][0]["grpc_server"]
    values = read("deploy/helm-values.yaml")
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    (server,) = values["dagsterWebserver"]["workspace"]["servers"]

    assert command[:3] == ["dagster", "api", "grpc"]
    assert command[command.index("-p") + 1] == str(grpc["port"])
    assert str(grpc["port"]) in compose["services"]["code"]["healthcheck"]["test"]
    assert deployment["dagsterApiGrpcArgs"] == command[3:7]
    assert (server["host"], server["port"]) == (deployment["name"], deployment["port"])


def test_the_commands_exist(compose: Any) -> None:
    installed = {script.name for script in entry_points(group="console_scripts")}
    ours = [service for name, service in compose["services"].items() if name != "postgres"]
    programs = {command[0] for service in ours for command in commands(service)}

    assert programs - {"python"} <= installed
    assert {"dagster", "dagster-daemon", "dagster-webserver", "leaseup-dagster"} <= installed


def test_everything_restarts_and_is_looked_after(compose: Any) -> None:
    for name, service in compose["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] == "CMD", name


def test_only_the_code_server_gets_the_keys(compose: Any) -> None:
    with_keys = [name for name, service in compose["services"].items() if "env_file" in service]

    assert with_keys == ["code"]


def test_no_secret_can_get_into_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = [
        word
        for instruction, rest in image_instructions()
        if instruction == "COPY" and "--from" not in rest
        for word in rest.split()[:-1]
    ]

    assert ignored[1] == "*"
    assert ignored[-1] == "**/.env*"
    assert {f"!{path}" for path in copied} == {line for line in ignored if line.startswith("!")}
    assert all((ROOT / path).exists() for path in copied)


def test_runs_can_write_where_the_image_lets_them() -> None:
    """The chart would mount a DAGSTER_HOME of its own, which belongs to root."""
    home = read("deploy/helm-values.yaml")["global"]["dagsterHome"]
    instructions = image_instructions()

    assert any(f"DAGSTER_HOME={home}" in rest for word, rest in instructions if word == "ENV")
    assert [rest for word, rest in instructions if word == "WORKDIR"][-1] == home


def test_the_image_runs_as_nobody_of_importance() -> None:
    instructions = image_instructions()

    assert [rest for word, rest in instructions if word == "USER"] == ["10001:10001"]
    assert any("-c constraints.txt" in rest for word, rest in instructions if word == "RUN")


def test_the_example_names_settings_that_exist() -> None:
    """And not Dagster's URL, which compose.yaml makes from the password."""

    def names(path: Path) -> set[str]:
        return set(re.findall(r"^(?:# )?([A-Z_]+)=", path.read_text("utf-8"), re.MULTILINE))

    ours, known = names(DEPLOY / ".env.example"), names(ROOT / ".env.example")
    assert ours - known == {"DAGSTER_POSTGRES_PASSWORD"}
    assert "DAGSTER_POSTGRES_URL" not in ours


@pytest.mark.parametrize("unit", sorted(DEPLOY.glob("systemd/*.service")), ids=lambda p: p.name)
def test_units_start_what_is_installed(unit: Path) -> None:
    start = next(
        line.partition("=")[2]
        for line in unit.read_text("utf-8").splitlines()
        if line.startswith("ExecStart=")
    )
    program = Path(shlex.split(start)[0])

    assert program.parts[:4] == ("/", "opt", "leaseup-dagster", ".venv")
    assert program.name in {script.name for script in entry_points(group="console_scripts")}
