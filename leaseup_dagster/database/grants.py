"""Rights in words and as SQL: what is said to whoever lacks some, and what a new role is given."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from sqlalchemy import Connection, text

from leaseup_dagster.database import leaseup, ledgers
from leaseup_dagster.database.rights import Right, hidden, lacking, needed, quoted
from leaseup_dagster.settings import SettingsError

_ROLE = text(
    f"""
    SELECT rolname, current_database() AS database,
           coalesce(has_database_privilege(rolname, current_database(), 'CONNECT'), false)
               AS may_connect,
           EXISTS (SELECT FROM pg_namespace WHERE nspname = '{ledgers.SCHEMA}') AS ours
    FROM (SELECT coalesce(nullif(:role, ''), current_user) AS named) AS wanted
    LEFT JOIN pg_roles ON rolname = named
    """
)


def require(connection: Connection, schema: str, where: str) -> None:
    """Raises SettingsError that names all the connected user lacks, and what would give it."""
    role = connection.execute(text("SELECT current_user")).scalar_one()
    lacks = lacking(connection, schema, role)
    if lacks:
        raise SettingsError(
            f"DATABASE_URL: the user {role} lacks {in_words(lacks)} in {where}."
            " As the tables' owner:\n" + "\n".join(grants(lacks, role))
        )
    policies = hidden(connection, schema, role)
    if policies:
        why = "; ".join(policy.why for policy in policies)
        raise SettingsError(
            f"DATABASE_URL: row-level security may keep rows of {where} from the user {role}, and"
            f" what is left would be treated as all there is: {why}. As the tables' owner:\n"
            + "\n".join(dict.fromkeys(policy.remedy for policy in policies))
        )


class NoSuchRole(Exception):
    """The server has no role of this name. The message says how to make it."""


def least(connection: Connection, role: str = "", *, only_lacking: bool = False) -> str:
    """The least that a role (the connected user, if none is named) must be allowed, as SQL, for
    the tables' owner to carry out.

    Raises NoSuchRole, and SettingsError where the database is not LeaseUp's.
    """
    schema = leaseup.schema_of(connection)
    if schema is None or leaseup.missing_columns(connection, schema):
        raise SettingsError("DATABASE_URL: its database does not have LeaseUp's tables.")
    row = connection.execute(_ROLE, {"role": role}).one()
    if row.rolname is None and only_lacking:
        raise NoSuchRole(f"There is no role {role}. Make it: CREATE ROLE {quoted(role)} LOGIN;")
    role = row.rolname or role
    wanted = lacking(connection, schema, role) if only_lacking else needed(connection, schema)
    policies = hidden(connection, schema, role) if row.rolname else []
    statements = [
        *([] if row.rolname else [f"CREATE ROLE {quoted(role)} LOGIN;"]),
        *([] if row.may_connect else [_connect(row.database, role)]),
        *grants(wanted, role),
        *dict.fromkeys(policy.remedy for policy in policies),
    ]
    if not row.ours:
        statements.insert(0, f"-- First, as the owner: leaseup-dagster migrate ({ledgers.SCHEMA})")
    return "\n".join(statements) or f"-- {role} lacks nothing"


def _connect(database: str, role: str) -> str:
    return f"GRANT CONNECT ON DATABASE {quoted(database)} TO {quoted(role)};"


def grants(rights: Sequence[Right], role: str) -> list[str]:
    """The rights as SQL, one statement for each table and privilege."""

    def table(right: Right) -> tuple[str, str, str]:
        return right.schema, right.relation, right.privilege

    statements = []
    for (schema, relation, privilege), same in groupby(rights, key=table):
        columns = ", ".join(quoted(right.column) for right in same if right.column)
        if not relation:
            named = f"SCHEMA {quoted(schema)}"
        else:
            kind = "SEQUENCE " if privilege == "USAGE" else ""
            named = f"{kind}{quoted(schema)}.{quoted(relation)}"
        what = f"{privilege} ({columns})" if columns else privilege
        statements.append(f"GRANT {what} ON {named} TO {quoted(role)};")
    return statements


def in_words(rights: Iterable[Right]) -> str:
    """`INSERT on invoice, USAGE on schema public`."""
    named = (f"{r.privilege} on {r.relation or f'schema {r.schema}'}" for r in rights)
    return ", ".join(dict.fromkeys(named))
