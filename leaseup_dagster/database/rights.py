"""SQL: what a role must be allowed in LeaseUp's database, and what it lacks of that.

Examines the catalogue only, which every user may read: so all that is lacking is found at once.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from leaseup_dagster.database import leaseup, ledgers


@dataclass(frozen=True, order=True)
class Right:
    """One privilege on one table (or sequence), or on one column of it."""

    schema: str
    relation: str
    privilege: str
    column: str = ""


@dataclass(frozen=True)
class Policy:
    """Row-level security on a table that may keep rows from us, and the statement that helps."""

    relation: str
    why: str
    remedy: str


_SEQUENCES = text(
    """
    SELECT DISTINCT pg_namespace.nspname, sequence.relname FROM pg_attrdef
    JOIN pg_class AS filled ON filled.oid = adrelid
    JOIN pg_namespace AS theirs ON theirs.oid = filled.relnamespace
    JOIN pg_depend ON classid = 'pg_attrdef'::regclass AND objid = pg_attrdef.oid
        AND refclassid = 'pg_class'::regclass
    JOIN pg_class AS sequence ON sequence.oid = refobjid AND sequence.relkind = 'S'
    JOIN pg_namespace ON pg_namespace.oid = sequence.relnamespace
    WHERE theirs.nspname = :schema AND filled.relname IN ('invoice', 'transaction')
    """
)

_LACKING = text(
    """
    SELECT place FROM unnest(
        CAST(:schemas AS text[]), CAST(:relations AS text[]), CAST(:columns AS text[]),
        CAST(:privileges AS text[])
    ) WITH ORDINALITY AS wanted (schema, relation, col, privilege, place)
    JOIN pg_namespace ON nspname = wanted.schema
    LEFT JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = wanted.relation
    WHERE NOT CASE
        WHEN wanted.relation = '' THEN has_schema_privilege(:role, nspname, privilege)
        WHEN pg_class.oid IS NULL THEN true
        WHEN relkind = 'S' THEN has_sequence_privilege(:role, pg_class.oid, privilege)
        WHEN col = '' THEN has_table_privilege(:role, pg_class.oid, privilege)
        ELSE has_column_privilege(:role, pg_class.oid, col, privilege)
    END
    """
)

# A policy that is not plainly true may hide rows: nobody can tell from what is left.
_POLICIES = text(
    """
    WITH guarded AS (
        SELECT pg_class.oid, nspname, relname FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
        JOIN pg_roles ON rolname = :role
        WHERE relrowsecurity AND NOT rolsuper AND NOT rolbypassrls
          AND (relforcerowsecurity OR NOT pg_has_role(:role, relowner, 'USAGE'))
    ),
    applied AS (
        SELECT guarded.*, wanted.command, polpermissive,
               -- What an INSERT may hold is rehearsed: it is refused aloud, not left out.
               wanted.command = 'a' OR pg_get_expr(polqual, polrelid) = 'true' AS shows_all
        FROM guarded
        JOIN unnest(CAST(:schemas AS text[]), CAST(:relations AS text[]), CAST(:commands AS text[]))
            AS wanted (schema, relation, command) ON schema = nspname AND relation = relname
        LEFT JOIN pg_policy ON polrelid = guarded.oid AND polcmd::text IN (wanted.command, '*')
            AND EXISTS (SELECT FROM unnest(polroles) AS role
                        WHERE role = 0 OR pg_has_role(:role, role, 'USAGE'))
    )
    SELECT nspname, relname, command, coalesce(bool_or(polpermissive AND shows_all), false) AS open,
           coalesce(bool_or(NOT polpermissive AND NOT shows_all), false) AS narrowed
    FROM applied GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
)

_COMMANDS = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}
_NAMES = {letter: name for name, letter in _COMMANDS.items()}


def needed(connection: Connection, schema: str) -> list[Right]:
    """All that a run does: with LeaseUp's tables, which are in `schema`, and with ours."""
    rights = [Right(schema, "", "USAGE"), Right(ledgers.SCHEMA, "", "USAGE")]
    for table in leaseup.metadata.sorted_tables:
        rights += [Right(schema, table.name, "SELECT", column.name) for column in table.c]
    for (name, privilege), columns in leaseup.WRITES.items():
        rights += [Right(schema, name, privilege, column) for column in columns]
    rights += [
        Right(row.nspname, row.relname, "USAGE")
        for row in connection.execute(_SEQUENCES, {"schema": schema})
    ]
    for name, privileges in ledgers.RIGHTS.items():
        rights += [Right(ledgers.SCHEMA, name, privilege) for privilege in privileges]
    return rights


def lacking(connection: Connection, schema: str, role: str) -> list[Right]:
    """Those of the `needed` rights that the role has not. Of a schema or table that is not there
    nothing is lacking."""
    wanted = needed(connection, schema)
    places = connection.execute(
        _LACKING,
        {
            "role": role,
            "schemas": [right.schema for right in wanted],
            "relations": [right.relation for right in wanted],
            "columns": [right.column for right in wanted],
            "privileges": [right.privilege for right in wanted],
        },
    ).scalars()
    return [wanted[place - 1] for place in sorted(places)]


def hidden(connection: Connection, schema: str, role: str) -> list[Policy]:
    """Tables of which row-level security may hide rows from the role, or refuse it changes."""
    tables = {
        (right.schema, right.relation, _COMMANDS[right.privilege])
        for right in needed(connection, schema)
        if right.privilege in _COMMANDS
    }
    schemas, relations, commands = zip(*sorted(tables), strict=True)
    values = {
        "role": role,
        "schemas": list(schemas),
        "relations": list(relations),
        "commands": list(commands),
    }
    rows = connection.execute(_POLICIES, values)
    return [
        _policy(row.nspname, row.relname, row.command, row.narrowed, role)
        for row in rows
        if row.narrowed or not row.open
    ]


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _policy(schema: str, relation: str, command: str, narrowed: bool, role: str) -> Policy:
    name = _NAMES[command]
    if narrowed:
        why = f"a restrictive policy on {relation} narrows {name}"
        return Policy(relation, why, f"ALTER ROLE {quoted(role)} BYPASSRLS;")
    checks = {"a": "WITH CHECK (true)", "w": "USING (true) WITH CHECK (true)"}
    remedy = (
        f"CREATE POLICY {quoted(f'leaseup_dagster_{name.lower()}')} ON"
        f" {quoted(schema)}.{quoted(relation)} FOR {name} TO {quoted(role)}"
        f" {checks.get(command, 'USING (true)')};"
    )
    why = f"no policy on {relation} allows {name} of every row"
    return Policy(relation, why, remedy)
