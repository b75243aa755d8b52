"""SQL: whose turn it is to call an endpoint, for all workers of all machines.

An evenly paced queue: each caller takes the next free slot in one statement and is told how
long to wait for it. Even pacing keeps any window of a minute below the limit, fixed or sliding.
"""

from sqlalchemy import Engine, text

PACE = 0.98
"""The part of the limit that is used; the rest is for clocks and networks that are not even."""

_RESERVE = text(
    """
    INSERT INTO leaseup_dagster.request_quota AS quota (endpoint, next_at)
    VALUES (:endpoint, extract(epoch FROM clock_timestamp()) + :interval)
    ON CONFLICT (endpoint) DO UPDATE SET next_at =
        -- Beyond any pause it is the database's clock that was set back.
        least(
            greatest(quota.next_at, extract(epoch FROM clock_timestamp())),
            extract(epoch FROM clock_timestamp()) + 300
        ) + :interval
    RETURNING next_at - :interval - extract(epoch FROM clock_timestamp())
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
    """Requests per minute and endpoint, shared by everything that bills on this database."""

    def __init__(self, engine: Engine, requests_per_minute: int) -> None:
        # Each statement stands for itself: a round trip less than a transaction.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._interval = 60 / (requests_per_minute * PACE)

    def reserve(self, endpoint: str) -> float:
        """Take the next slot; the seconds to wait for it, 0 if it is now."""
        with self._engine.connect() as connection:
            wait = connection.execute(
                _RESERVE, {"endpoint": endpoint, "interval": self._interval}
            ).scalar_one()
        return max(0.0, float(wait))

    def pause(self, endpoint: str, seconds: float) -> None:
        """Nobody calls this endpoint for so many seconds: the provider said so."""
        with self._engine.connect() as connection:
            connection.execute(_PAUSE, {"endpoint": endpoint, "seconds": seconds})
