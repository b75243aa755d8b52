"""SQL: who may to call an endpoint, for all workers of all machines.

An evenly paced queue: each caller takes the next free slot in one statement and learns how
long to wait for it. Even pacing keeps any window of a minute below the limit, fixed or sliding.
What the provider says of its limit is remembered for all, and followed from the next slot on.
"""

import time

from sqlalchemy import Engine, text

_REMEMBERED_SECONDS = 600.0
"""How long a limit that comes with every answer is not written down again."""

_AHEAD_SECONDS = 3.0
"""How far ahead the workers of a few runs take slots, at most; what is further away is a pause."""

PACE = 0.988
"""The part of the limit that is used; the rest is for clocks and networks that are not even."""

# Only a refusal is sure to tell it, and who keeps below a low one is refused no more: after an hour
# without a word the usual limit is tried again.
_REPORTED = (
    "CASE WHEN :follow AND quota.told_at > clock_timestamp() - interval '1 hour'"
    " THEN quota.requests_per_minute END"
)
_INTERVAL = f"coalesce(60 / ({_REPORTED} * :pace), :interval)"

_RESERVE = text(
    f"""
    INSERT INTO leaseup_dagster.request_quota AS quota (endpoint, next_at)
    VALUES (:endpoint, extract(epoch FROM clock_timestamp()) + :interval)
    ON CONFLICT (endpoint) DO UPDATE SET next_at =
        -- Beyond any pause it is the database's clock that was set back.
        least(
            greatest(quota.next_at, extract(epoch FROM clock_timestamp())),
            extract(epoch FROM clock_timestamp()) + 300
        ) + {_INTERVAL}
    RETURNING next_at - {_INTERVAL} - extract(epoch FROM clock_timestamp())
    """
)

_GIVE_BACK = text(
    f"""
    UPDATE leaseup_dagster.request_quota AS quota
    SET next_at = greatest(next_at - {_INTERVAL}, extract(epoch FROM clock_timestamp()))
    WHERE endpoint = :endpoint AND next_at > extract(epoch FROM clock_timestamp())
    """
)

# A lower limit also holds for the slots that are reserved and not used yet. They are too close
# together, so the next one moves by the difference. A pause counts for no more than such slots.
_LEARN = text(
    f"""
    INSERT INTO leaseup_dagster.request_quota AS quota
        (endpoint, next_at, requests_per_minute, told_at)
    VALUES (:endpoint, extract(epoch FROM clock_timestamp()), :limit, clock_timestamp())
    ON CONFLICT (endpoint) DO UPDATE SET
        requests_per_minute = :limit, told_at = clock_timestamp(),
        next_at = quota.next_at
            + greatest(60 / (:limit * :pace) / {_INTERVAL} - 1, 0)
            * greatest(least(quota.next_at - extract(epoch FROM clock_timestamp()), :ahead), 0)
    """
)

_PAUSE = text(
    """
    INSERT INTO leaseup_dagster.request_quota AS quota (endpoint, next_at)
    VALUES (:endpoint, extract(epoch FROM clock_timestamp()) + :seconds)
    ON CONFLICT (endpoint) DO UPDATE SET next_at =
        greatest(quota.next_at, extract(epoch FROM clock_timestamp()) + :seconds)
    """
)


class SharedQuota:
    """Requests per minute and endpoint, shared by everything that bills on this database.

    `follow`: another limit that the provider tells takes the place of `requests_per_minute`.
    """

    def __init__(self, engine: Engine, requests_per_minute: int, *, follow: bool = False) -> None:
        # Each statement stands for itself: a round trip less than a transaction.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._paced = {
            "interval": 60 / (requests_per_minute * PACE), "pace": PACE, "follow": follow
        }  # fmt: skip
        self._reported: dict[str, tuple[int, float]] = {}

    def reserve(self, endpoint: str) -> float:
        """Take the next slot; the seconds to wait for it, 0 if it is now."""
        with self._engine.connect() as connection:
            wait = connection.execute(_RESERVE, {"endpoint": endpoint, **self._paced}).scalar_one()
        return max(0.0, float(wait))

    def give_back(self, endpoint: str) -> None:
        """A reserved slot is not used: the queue is shorter by one."""
        with self._engine.connect() as connection:
            connection.execute(_GIVE_BACK, {"endpoint": endpoint, **self._paced})

    def learn(self, endpoint: str, requests_per_minute: int) -> None:
        """The provider has reported its limit: for all, for an hour, or until it reports another
        one."""
        reported, at = self._reported.get(endpoint, (0, 0.0))
        fresh = reported == requests_per_minute and time.monotonic() - at < _REMEMBERED_SECONDS
        if not self._paced["follow"] or fresh:
            return
        with self._engine.connect() as connection:
            learned = {"limit": requests_per_minute, "ahead": _AHEAD_SECONDS, **self._paced}
            connection.execute(_LEARN, {"endpoint": endpoint, **learned})
        self._reported[endpoint] = requests_per_minute, time.monotonic()

    def pause(self, endpoint: str, seconds: float) -> None:
        """Nobody calls this endpoint for so many seconds: the provider said so."""
        with self._engine.connect() as connection:
            connection.execute(_PAUSE, {"endpoint": endpoint, "seconds": seconds})
