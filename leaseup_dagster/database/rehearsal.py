"""The statements that record, carried out beforehand and rolled back.

A request that was made and cannot be recorded is a request too much. Whatever would refuse its
record is found here before it leaves: rights, policies, triggers and new columns of others, a
database that only reads. It leaves no trace: no row, no invoice number that is used up, and no
lock on a row of LeaseUp's that outlasts its statement by more than some milliseconds.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.database import complaints
from leaseup_dagster.settings import SettingsError

# Whoever holds a lock for longer keeps a rehearsal from saying anything, not a run from going on.
# A trigger of somebody else can tell by `leaseup.rehearsal`.
_BRIEFLY = text(
    "SELECT set_config('lock_timeout', '2s', true), set_config('leaseup.rehearsal', 'on', true)"
)
_LOCKED = "55P03"


class CannotRecord(SettingsError):
    """Nothing was sent, because it could not be recorded. The message says what to do."""


class Stage:
    """A transaction that will be rolled back, and what was refused in it so far."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.refused: list[str] = []
        self.notes: list[str] = []

    def act(self, what: str, perform: Callable[[Connection], bool | None]) -> bool:
        """Whether `perform` may be done; False from it means that nothing was written.

        Raises DBAPIError when the database itself is out of reach.
        """
        try:
            with self.connection.begin_nested():
                done = perform(self.connection)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _LOCKED:
                self.notes.append(f"{what}: somebody holds a lock, so it was not tried")
            elif complaints.is_passing(error):
                raise
            else:
                self.refused.append(f"{what} cannot be recorded. {complaints.in_words(error)}")
            return False
        if done is False:
            self.refused.append(
                f"{what} cannot be recorded. DATABASE_URL: nothing refused it and nothing was"
                " written: a policy or a trigger leaves it out. Check those of its table."
            )
        return done is not False


Scene: TypeAlias = Callable[[Stage], None]
"""The statements of one thing that is recorded, in their order."""


def rehearse(engine: Engine, *scenes: Scene) -> Stage:
    """All scenes, rolled back. Raises DBAPIError when the database is out of reach."""
    with engine.connect() as connection, connection.begin() as transaction:
        stage = Stage(connection)
        try:
            connection.execute(_BRIEFLY)
            for scene in scenes:
                with connection.begin_nested() as taken_back:
                    scene(stage)
                    stage.act("What is examined last of all", _check_all)
                    taken_back.rollback()
        finally:
            transaction.rollback()
    return stage


def require(engine: Engine, *scenes: Scene) -> None:
    """Raises CannotRecord if one of the scenes would be refused."""
    refused = rehearse(engine, *scenes).refused
    if refused:
        raise CannotRecord(in_words(refused))


def in_words(refused: Sequence[str]) -> str:
    """What to say instead of sending."""
    return "Nothing was sent: " + "\n".join(dict.fromkeys(refused))


def _check_all(connection: Connection) -> None:
    connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
