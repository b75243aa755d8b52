"""Whether the morning's run has been missing for too long, and whether that was told. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

TELL_AGAIN = timedelta(hours=24)


@dataclass(frozen=True)
class Watch:
    """What the sensor remembers from tick to tick: since when it looks, and when it last told."""

    since: datetime
    told_at: datetime | None = None

    def as_cursor(self) -> str:
        told_at = self.told_at.isoformat() if self.told_at else None
        return json.dumps({"since": self.since.isoformat(), "told_at": told_at})


def watch(cursor: str | None, now: datetime) -> Watch:
    """From the cursor; a watch that begins now, if there is none or nobody can read it."""
    try:
        kept = json.loads(cursor or "")
        told_at = datetime.fromisoformat(kept["told_at"]) if kept["told_at"] else None
        return Watch(datetime.fromisoformat(kept["since"]), told_at)
    except (ValueError, KeyError, TypeError):
        return Watch(now)


def is_to_be_told(kept: Watch, last_success: datetime | None, now: datetime, hours: int) -> bool:
    """No success for more than `hours`, counted from when we began to look if there never was
    one, and nobody told within a day."""
    if now - (last_success or kept.since) <= timedelta(hours=hours):
        return False
    return kept.told_at is None or now - kept.told_at >= TELL_AGAIN
