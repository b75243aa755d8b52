"""Steps on two machines: the same tests, with Debian's RabbitMQ as the broker."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile.conftest import needed
from tests.conftest import until
from tests.deploy.deployment import a_free_port
from tests.many_machines.conftest import (  # noqa: F401
    dagster_database,
    launch,
    leases,
    many_machines,
)
from tests.many_machines.test_celery import (  # noqa: F401
    test_a_run_told_to_stop_stops_its_steps_on_other_machines,
    test_a_worker_that_is_killed_in_a_batch_doubles_and_loses_nothing,
    worker,
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a RabbitMQ."""
    needed("rabbitmq-server", "rabbitmq-server")
    # Debian's wrapper switches to another user. This program runs as the calling user.
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    folder, port = tmp_path_factory.mktemp("rabbitmq"), a_free_port()
    environment = os.environ | {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(a_free_port()),
        "ERL_EPMD_RELAXED_COMMAND_CHECK": "true",
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(a_free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            program, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        until(lambda: "completed with" in (folder / "output").read_text(), 60)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        # An orderly shutdown takes a minute on a busy machine, and its data is not needed.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, check=False)
