"""Runs a job in this process, as `dagster job execute` does, and tells a person how far it is."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import dagster as dg
from dagster._cli.utils import get_possibly_temporary_instance_for_cli
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.api import execute_run
from dagster._utils.interrupts import capture_interrupts

from leaseup_dagster.labels import FOR, MANUAL, READ_ONLY
from leaseup_dagster.operations.checkup import dagster_storage
from leaseup_dagster.settings import SettingsError
from leaseup_dagster.shell.asked import check_config, checked_job, read_config
from leaseup_dagster.shell.progress import Progress

_POLL_SECONDS = 0.5
_READ_WHOLE = (MANUAL[FOR], READ_ONLY[FOR])
_DEFINITIONS = "leaseup_dagster.definitions"
_HIDDEN = "__"
# With it the job's own page in the UI counts the run, where the location has its usual name.
_SEEN = {".dagster/repository": "__repository__@leaseup_dagster"}
Print = Callable[[str], None]


def run(job: str, config: str, print_line: Print) -> tuple[int, str]:
    """The exit code, and the last sentence if `print_line`, given each line of progress, has not
    had it.

    0: it succeeded; 1: it failed, or was asked to stop; 2: it was refused for its config.
    Raises WrongJob before anything runs, SettingsError when Dagster's storage cannot be opened.
    """
    wanted = read_config(config)
    with _dagster_silenced():
        repository = ReconstructableRepository.for_module(_DEFINITIONS, "defs", os.getcwd())
        known = [n for n in repository.get_definition().job_names if not n.startswith(_HIDDEN)]
        check_config(repository.get_definition().get_job(checked_job(job, known)), wanted)
        with capture_interrupts(), _instance() as instance:
            return _run(instance, repository, job, wanted, print_line)


def _run(
    instance: dg.DagsterInstance,
    repository: ReconstructableRepository,
    job: str,
    config: Mapping[str, Any],
    print_line: Print,
) -> tuple[int, str]:
    recon = repository.get_reconstructable_job(job)
    definition = recon.get_definition()
    created = instance.create_run_for_job(
        definition,
        run_config=config,
        tags={**definition.run_tags, **_SEEN},
        job_code_origin=recon.get_python_origin(),
        repository_load_data=repository.get_definition().repository_load_data,
    )
    print_line(f"Run {created.run_id} of {job}")
    progress = Progress(whole=definition.run_tags.get(FOR) in _READ_WHOLE)
    with _followed(instance, created.run_id, progress, print_line), suppress(*_INTERRUPTS):
        execute_run(recon, created, instance, raise_on_error=False)
    ended = instance.get_run_by_id(created.run_id)
    if ended and ended.is_success:
        return 0, progress.summary()
    return 2 if progress.is_refused() else 1, progress.why_failed()


_INTERRUPTS = (KeyboardInterrupt, DagsterExecutionInterruptedError)


@contextmanager
def _followed(
    instance: dg.DagsterInstance, run_id: str, progress: Progress, print_line: Print
) -> Iterator[None]:
    """Inside, the run's events are shown as they come, whatever process writes them; on the way
    out also the last ones."""
    over, cursor = threading.Event(), None

    def poll() -> None:
        nonlocal cursor
        more = True
        while more:
            found = instance.get_records_for_run(run_id, cursor)
            for record in found.records:
                for line in progress.lines(record.event_log_entry):
                    print_line(line)
            cursor, more = found.cursor, found.has_more

    def follow() -> None:
        while not over.wait(_POLL_SECONDS):
            with suppress(Exception):  # a storage that is away for a moment keeps nothing secret
                poll()

    follower = threading.Thread(target=follow, name="follow-run", daemon=True)
    follower.start()
    try:
        yield
    finally:
        over.set()
        follower.join()
        poll()


@contextmanager
def _instance() -> Iterator[dg.DagsterInstance]:
    """DAGSTER_HOME's, or one for this run alone, as `dagster job execute` has it."""
    opening = get_possibly_temporary_instance_for_cli("leaseup-dagster run")
    try:
        instance = opening.__enter__()
    except Exception as error:  # of Dagster, its configuration, the database or its driver
        dagster_storage()  # says it in our words, where it is the database
        raise SettingsError(
            f"DAGSTER_HOME: its dagster.yaml or its storage cannot be used ({type(error).__name__})"
        ) from None
    try:
        yield instance
    finally:
        opening.__exit__(None, None, None)


@contextmanager
def _dagster_silenced() -> Iterator[None]:
    """Inside, what is written to stderr, by whatever process, is not shown: stacks and warnings.

    A step of its own process and a library in C write to the descriptor, not to `sys.stderr`.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(shown, 2)
        os.close(shown)
        os.close(nowhere)
