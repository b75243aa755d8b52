"""Webserver, daemon and code server as processes of their own, as deploy/ starts them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from dotenv import dotenv_values

from leaseup_dagster.sandbox.world import World, a_world
from tests.processes import Child

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

Run = Mapping[str, Any]

_RUNS = """
    query($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
        runId jobName status parentRunId tags { key value }
    } } } }
"""
_STATE = """
    query($id: %s!) { %sOrError(%sSelector: $id) { ... on %s { %sState { status } } } }
"""


@dataclass(frozen=True)
class Deployment:
    """What runs, and how to speak to it."""

    world: World
    workspace: Path
    url: str
    code: subprocess.Popen[bytes]

    def graphql(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.url}/graphql", json=body, timeout=30, trust_env=False).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def runs(self, job: str, **tags: str) -> list[Run]:
        """Latest first."""
        wanted = [{"key": key, "value": value} for key, value in tags.items()]
        found = self.graphql(_RUNS, filter={"pipelineName": job, "tags": wanted})
        return list(found["runsOrError"]["results"])

    def run(self, run_id: str) -> Run:
        """One run by its id."""
        found = self.graphql(_RUNS, filter={"runIds": [run_id]})
        return dict(found["runsOrError"]["results"][0])

    def state(self, kind: str, name: str) -> str:
        """RUNNING or STOPPED, as the UI shows it, of a `schedule` or a `sensor`."""
        words = (f"{kind.title()}Selector", kind, kind, kind.title(), kind)
        where = {"repositoryLocationName": "leaseup_dagster", "repositoryName": "__repository__"}
        found = self.graphql(_STATE % words, id={**where, f"{kind}Name": name})
        return str(found[f"{kind}OrError"][f"{kind}State"]["status"])

    def dagster(self, *arguments: str) -> str:
        """What one of Dagster's commands prints, in the operator's shell."""
        output = self.world.folder / "command.txt"
        command = Child(
            _a_command, str(self.world.working_directory), str(output),
            (*arguments, "-w", str(self.workspace)),
        )  # fmt: skip
        assert command.wait(60) == 0, output.read_text()
        return output.read_text()

    def run_workers(self) -> list[psutil.Process]:
        """The processes in which the code server has runs."""
        children = psutil.Process(self.code.pid).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def until(self, holds: Callable[[], Any], seconds: float) -> Any:
        """What `holds` gives, once it gives something; fails with Dagster's output."""
        give_up_at = time.monotonic() + seconds
        while not (result := holds()):
            in_time = time.monotonic() < give_up_at and self.code.poll() is None
            assert in_time, self.world.log_tail(200)
            time.sleep(0.1)
        return result


@contextmanager
def a_deployment(**settings: str) -> Iterator[Deployment]:
    """With the repository's dagster.yaml and the workspace of deploy/, but for the addresses."""
    with a_world(**settings) as world:
        grpc, http = a_free_port(), a_free_port()
        workspace = world.folder / "workspace.yaml"
        workspace.write_text(_at("127.0.0.1", grpc))
        here = ("-w", str(workspace))
        code = world.dagster(
            "api", "grpc", "-m", "tests.deploy.minutely", "--location-name", "leaseup_dagster",
            "-h", "127.0.0.1", "-p", str(grpc),
        )  # fmt: skip
        deployment = Deployment(world, workspace, f"http://127.0.0.1:{http}", code)
        deployment.until(lambda: _listens(grpc), 60)
        start = world.children.start
        start([str(BIN / "dagster-daemon"), "run", *here], world.log)
        where = ("-h", "127.0.0.1", "-p", str(http))
        start([str(BIN / "dagster-webserver"), *here, *where], world.log)
        deployment.until(lambda: _listens(http), 60)
        yield deployment


def a_free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _at(host: str, port: int) -> str:
    workspace = yaml.safe_load((ROOT / "deploy" / "workspace.yaml").read_text())
    workspace["load_from"][0]["grpc_server"] |= {"host": host, "port": port}
    return yaml.safe_dump(workspace)


def _listens(port: int) -> bool:
    with closing(socket.socket()) as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def _a_command(folder: str, output: str, arguments: tuple[str, ...]) -> None:
    """In a forked process: starting Python anew would take longer than the command."""
    from dagster._cli import create_dagster_cli

    os.chdir(folder)
    os.environ.update({name: value or "" for name, value in dotenv_values(".env").items()})
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(written, 1)
    os.dup2(written, 2)
    create_dagster_cli()(list(arguments))
