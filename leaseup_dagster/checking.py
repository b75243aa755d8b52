"""What an asset check found, as Dagster wants it: launched by itself, or by a job's step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster import AssetCheckEvaluation, AssetCheckResult, AssetCheckSeverity, AssetKey

IDS_SHOWN = 100


@dataclass(frozen=True)
class Found:
    """How many rows break a promise, and the ids of the first `IDS_SHOWN` of them."""

    count: int = 0
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckFindings:
    """One check of one asset: each key of `wrong` is something that must not be."""

    asset: str
    name: str
    wrong: Mapping[str, Found]
    advice: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    # WARN: something may be wrong, and only a person can know.
    severity: AssetCheckSeverity = AssetCheckSeverity.ERROR

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not any(found.count for found in self.wrong.values())

    def in_words(self) -> str:
        """What is wrong, for the log: how many of each, and which."""
        wrong = [
            f"{found.count} {what} ({_listed(found)})"
            for what, found in self.wrong.items()
            if found.count
        ]
        return f"{self.name}: {', '.join(wrong)}. {self.advice}".strip()

    def result(self) -> AssetCheckResult:
        """For a check that is launched by itself."""
        return AssetCheckResult(
            passed=self.passed, severity=self.severity, metadata=self._metadata()
        )

    def evaluation(self) -> AssetCheckEvaluation:
        """For a step of a job to yield; logged, it would be lost if the step failed."""
        return AssetCheckEvaluation(
            asset_key=AssetKey(self.asset),
            check_name=self.name,
            passed=self.passed,
            severity=self.severity,
            metadata=self._metadata(),
        )

    def _metadata(self) -> dict[str, Any]:
        counts = {name: found.count for name, found in self.wrong.items()}
        ids = {f"{name}: ids": _listed(found) for name, found in self.wrong.items() if found.ids}
        advice = (
            {}
            if self.passed or not self.advice
            else {"what to do": dg.MetadataValue.md(self.advice)}
        )
        return {**counts, **ids, **self.more, **advice}


def _listed(found: Found) -> str:
    more = found.count - len(found.ids)
    return ", ".join(found.ids) + (f" and {more} more" if more > 0 else "")


def first(ids: Sequence[str] | None) -> tuple[str, ...]:
    """What `array_agg` found, or nothing where it found nothing."""
    return tuple((ids or ())[:IDS_SHOWN])
