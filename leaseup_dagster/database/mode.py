"""SQL: the mode, test or live, in which this database is billed. It never changes.

Customers and payment requests exist in one mode only: with a key of the other one, every month
billed so far would count as billed and nobody could pay it.
"""

from sqlalchemy import Engine, text

from leaseup_dagster.settings import SettingsError

_REMEMBER = text(
    "INSERT INTO leaseup_dagster.paystack_mode (mode) VALUES (:mode) ON CONFLICT DO NOTHING"
)
_MODE = text("SELECT mode FROM leaseup_dagster.paystack_mode")


def remember_mode(engine: Engine, mode: str) -> None:
    """Keep the mode of the first run. Raises SettingsError for a key of another one."""
    with engine.begin() as connection:
        connection.execute(_REMEMBER, {"mode": mode})
        first = connection.execute(_MODE).scalar_one()
    if first != mode:
        raise SettingsError(
            f"PAYSTACK_SECRET_KEY: is a {mode} key, but this database is billed in {first} mode,"
            f" and its customers and payment requests exist in that mode only. Use a key of"
            f" {first} mode. To try another mode, use a copy of the database as it was before its"
            f" first run."
        )
