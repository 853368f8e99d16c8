"""The kit's own tables as each service's migrations make them, step by step. A released step never changes.

The tables of today stand beside the code that uses them (`events.outbox`, `events.numbering`, `events.inbox`,
`database.idempotency`), in `metadata.KIT`.
"""

import sqlalchemy as sa

_FIRST = (
    """CREATE TABLE outbox (
        id uuid NOT NULL, lane text NOT NULL, type text NOT NULL, payload bytea NOT NULL, traceparent text NOT NULL,
        occurred_at timestamptz NOT NULL, number bigint, published_at timestamptz, CONSTRAINT outbox_pkey PRIMARY KEY (id)
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)""",
    "CREATE INDEX outbox_unpublished_idx ON outbox (lane, id) WHERE published_at IS NULL",
    "CREATE UNIQUE INDEX outbox_one_number_idx ON outbox (lane, number) WHERE number IS NOT NULL",
    """CREATE TABLE outbox_head (
        lane text NOT NULL, last_number bigint NOT NULL, promised uuid[] NOT NULL DEFAULT '{}',
        CONSTRAINT outbox_head_pkey PRIMARY KEY (lane))""",
    """CREATE TABLE inbox (
        source text NOT NULL, lane text NOT NULL, position bigint NOT NULL, moved_at timestamptz NOT NULL,
        CONSTRAINT inbox_pkey PRIMARY KEY (source, lane))""",
    """CREATE TABLE dead_letter (
        id uuid NOT NULL, source text NOT NULL, type text NOT NULL, payload bytea NOT NULL, error text NOT NULL,
        failed_at timestamptz NOT NULL, CONSTRAINT dead_letter_pkey PRIMARY KEY (id))""",
    """CREATE TABLE request (
        caller text NOT NULL, request_id text NOT NULL, digest bytea NOT NULL, response bytea,
        created_at timestamptz NOT NULL, CONSTRAINT request_pkey PRIMARY KEY (caller, request_id))""",
    "CREATE INDEX request_created_at_idx ON request (created_at)",
)
_PROMISES = (
    "ALTER TABLE outbox_head ADD COLUMN IF NOT EXISTS promised uuid[] NOT NULL DEFAULT '{}'",
    "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)",
    "CREATE INDEX IF NOT EXISTS outbox_unpublished_idx ON outbox (lane, id) WHERE published_at IS NULL",
    "DROP INDEX IF EXISTS outbox_waiting_idx",
    "DROP INDEX IF EXISTS outbox_published_idx",
)
_STREAMS = (
    "ALTER TABLE outbox RENAME COLUMN lane TO stream",
    "ALTER TABLE outbox_head RENAME COLUMN lane TO stream",
    "ALTER TABLE inbox RENAME COLUMN lane TO stream",
    # Seven days of rows take longer than a migration usually may; the platform stands still meanwhile (ADR 21).
    "SET LOCAL statement_timeout = 0",
    "UPDATE outbox SET stream = 'events' WHERE stream = 'facts'",
    "UPDATE outbox_head SET stream = 'events' WHERE stream = 'facts'",
    "UPDATE inbox SET stream = 'events' WHERE stream = 'facts'",
    "SET LOCAL statement_timeout = '5s'",
)
_SEQUENCE = (
    "CREATE SEQUENCE IF NOT EXISTS outbox_sequence",
    # Rows that stand already have 0: among them their ids say the order, as before.
    "ALTER TABLE outbox ADD COLUMN IF NOT EXISTS sequence bigint NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ALTER COLUMN sequence SET DEFAULT nextval('outbox_sequence')",
)
_SEQUENCE_INDEX = (
    "SET statement_timeout = 0",
    "DROP INDEX CONCURRENTLY IF EXISTS outbox_waiting_idx",  # a migration that was cut off leaves half of it
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS outbox_waiting_idx ON outbox (stream, sequence) WHERE published_at IS NULL",
    "DROP INDEX CONCURRENTLY IF EXISTS outbox_unpublished_idx",
    "SET statement_timeout = '5s'",
)
_MADE = ("ALTER TABLE request ADD COLUMN IF NOT EXISTS made uuid",)


def create_kit_tables(connection: sa.Connection) -> None:
    """For each service's first migration: the tables as release 0.1.0 made them."""
    _execute(connection, _FIRST)


def upgrade_to_promises(connection: sa.Connection) -> None:
    """The outbox of before release 0.1.0 as that release made it: numbers are promised first. Else it does nothing."""
    _execute(connection, _PROMISES)


def upgrade_to_streams(connection: sa.Connection) -> None:
    """From release 0.1.0 to 0.2.0: the column `lane` is `stream`, its value "facts" is "events".

    Waiting rows, numbers given and promised, inbox positions and dead letters stay as they are.
    """
    _execute(connection, _STREAMS)


def upgrade_to_sequence(connection: sa.Connection) -> None:
    """After release 0.2.0: rows of the outbox are numbered in the order in which they were written, by a sequence.

    Replicas of 0.2.0 go on writing and publishing. Its index is the work of `index_sequence`, afterwards.
    """
    _execute(connection, _SEQUENCE)


def index_sequence(connection: sa.Connection) -> None:
    """Outside of a transaction (Alembic's `autocommit_block`), for seven days of rows are read meanwhile."""
    _execute(connection, _SEQUENCE_INDEX)


def upgrade_to_commands(connection: sa.Connection) -> None:
    """From release 0.2.0 on: a claim of a request id notes what the intention made."""
    _execute(connection, _MADE)


def _execute(connection: sa.Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.execute(sa.text(statement))
