"""The one reader of the calendar. Everything else is handed a date.

A billing day is a day in Johannesburg (no daylight saving, UTC+2), whatever the server's zone.
"""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

JOHANNESBURG = ZoneInfo("Africa/Johannesburg")


def johannesburg_date(instant: datetime) -> date:
    """The day in Johannesburg at an aware instant: a schedule's tick, or now."""
    return instant.astimezone(JOHANNESBURG).date()


def midnight(day: date) -> datetime:
    """The instant at which a day begins in Johannesburg, aware."""
    return datetime.combine(day, time(), JOHANNESBURG)


def clock(instant: datetime) -> str:
    """An aware instant as people in Johannesburg read it: `07:00 SAST`."""
    return f"{instant.astimezone(JOHANNESBURG):%H:%M} SAST"


def timestamp(instant: datetime) -> str:
    """An aware instant with its day, to the second: `2026-12-01 07:00:05 SAST`."""
    return f"{instant.astimezone(JOHANNESBURG):%Y-%m-%d %H:%M:%S} SAST"


def resolve_as_of(configured: str) -> date:
    """The day a run works for: the one its config names, else today in Johannesburg.

    Raises ValueError if `configured` is neither empty nor a date written YYYY-MM-DD.
    """
    if not configured.strip():
        return johannesburg_date(datetime.now(tz=JOHANNESBURG))
    return parse_date(configured, "as_of")


def parse_date(text: str, name: str) -> date:
    """A date written YYYY-MM-DD in a run's config; the error names the field and the form."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{name} must be a date written YYYY-MM-DD, not {text!r}.") from None
