"""Whether the morning's run has been missing for too long, and whether that was alerted. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

REPEAT_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Watch:
    """What the sensor remembers from tick to tick: since when it checks, and when it last
    alerted."""

    since: datetime
    alerted_at: datetime | None = None

    def as_cursor(self) -> str:
        """What the sensor keeps until its next tick, as JSON."""
        alerted_at = self.alerted_at.isoformat() if self.alerted_at else None
        return json.dumps({"since": self.since.isoformat(), "told_at": alerted_at})


def watch(cursor: str | None, now: datetime) -> Watch:
    """From the cursor; a watch that begins now, if there is none or nobody can read it."""
    try:
        kept = json.loads(cursor or "")
        alerted_at = datetime.fromisoformat(kept["told_at"]) if kept["told_at"] else None
        return Watch(datetime.fromisoformat(kept["since"]), alerted_at)
    except (ValueError, KeyError, TypeError):
        return Watch(now)


def should_alert(kept: Watch, last_success: datetime | None, now: datetime, hours: int) -> bool:
    """No success for more than `hours`, counted from when we began to check if there never was
    one, and no alert within a day."""
    if now - (last_success or kept.since) <= timedelta(hours=hours):
        return False
    return kept.alerted_at is None or now - kept.alerted_at >= REPEAT_AFTER
