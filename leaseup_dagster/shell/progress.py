"""What a person reads of a run while it works, and last."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import JobFailureData
from dagster._core.execution.plan.objects import StepFailureData, StepRetryData
from dagster_shared.error import SerializableErrorInfo

from leaseup_dagster.as_of import timestamp
from leaseup_dagster.run_config import is_refused_config

_STOPPED = (
    "The run was asked to stop. What was in flight is recorded; launch it again for the rest."
)
_OF_NO_USE = "Dependencies for step "
"""Dagster says it of each step after one that failed."""

_INTERRUPTS = (DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)
_CLASS_IN_FRONT = re.compile(r"^[\w.]+: ")


@dataclass
class Progress:
    """Fed with each event of a run once; what it has learnt is how the run ended."""

    whole: bool = False
    """Whether each line is shown of what is said in several, as lists of a check are."""
    steps_failed: list[StepFailureData] = field(default_factory=list)
    run_failed: SerializableErrorInfo | None = None
    last_said: str = ""
    last_shown: str = ""
    headline: str = ""

    def lines(self, entry: dg.EventLogEntry) -> Iterator[str]:
        """What is to be printed of an event: our own log lines, and where the run is."""
        event = entry.dagster_event
        said = self._of_dagster(event) if event else self._of_ours(entry)
        if said:
            self.last_shown = said
            at = datetime.fromtimestamp(entry.timestamp, tz=timezone.utc)
            clock = f"{timestamp(at).partition(' ')[2]}  "
            yield clock + said.replace("\n", "\n" + " " * len(clock))

    def _of_ours(self, entry: dg.EventLogEntry) -> str:
        said = entry.user_message.strip()
        if int(entry.level) < logging.INFO or said.startswith(_OF_NO_USE):
            return ""
        self.last_said = said
        first, *more = said.splitlines() or [""]
        if self.whole or not more:
            return said
        return f"{first} (and {len(more)} line{'s' if len(more) > 1 else ''} more)"

    def _of_dagster(self, event: dg.DagsterEvent) -> str:
        data, step = event.event_specific_data, event.step_key or ""
        if isinstance(data, StepFailureData):
            self.steps_failed.append(data)
        elif isinstance(data, JobFailureData):
            self.run_failed = data.error
        elif isinstance(data, StepRetryData):
            why = f": {sentence(data.error)}" if data.error else ""
            return f"{step} is tried again{why}"
        elif event.is_step_start and "[" not in step:  # a batch says itself how far it is
            return f"{step} …"
        elif event.is_successful_output:
            self.headline = _headline(event) or self.headline
        return ""

    def summary(self) -> str:
        """Of a run that succeeded: its report's headline, or what it said last. Empty if that was
        the last line."""
        said = self.headline or self.last_said or "Done."
        return "" if said == self.last_shown else said

    def why_failed(self) -> str:
        """Of a run that failed: what its steps say of it, each once."""
        errors = [data.error for data in self.steps_failed] or [self.run_failed]
        if any(_is_interrupt(error) for error in errors):
            return _STOPPED
        said = [
            data.user_failure_data.description
            if data.user_failure_data and data.user_failure_data.description
            else sentence(data.error)
            for data in self.steps_failed
        ] or [sentence(self.run_failed)]
        return "\n".join(dict.fromkeys(said))

    def is_refused(self) -> bool:
        """Whether nothing failed but what was written into the run's config."""
        errors: Sequence[SerializableErrorInfo | None] = [data.error for data in self.steps_failed]
        return all(map(is_refused_config, errors or [self.run_failed]))


def sentence(error: SerializableErrorInfo | None) -> str:
    """The message of what began it, without its class."""
    while error and error.cause:
        error = error.cause
    said = _CLASS_IN_FRONT.sub("", error.message.strip(), count=1) if error else ""
    return said or "The run failed, and no reason was given."


def _is_interrupt(error: SerializableErrorInfo | None) -> bool:
    return error is not None and (error.cls_name in _INTERRUPTS or _is_interrupt(error.cause))


def _headline(event: dg.DagsterEvent) -> str:
    """The first paragraph of the page that a step reports."""
    report = event.step_output_data.metadata.get("report")
    return report.value.partition("\n\n")[0] if isinstance(report, dg.MarkdownMetadataValue) else ""
