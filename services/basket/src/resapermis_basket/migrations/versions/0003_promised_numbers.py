"""Numbers of what is said are promised first; an index of live lines serves only questions by its own column."""

from alembic import op

from resapermis_kit.database.schema import upgrade_to_promises

revision = "0003"
down_revision = "0002"
INDEXES = (
    ("one_live_line_a_slot", "slot_id", "ended_at IS NULL AND slot_id IS NOT NULL"),
    ("basket_line_live_school_idx", "school_id, group_id", "ended_at IS NULL AND school_id IS NOT NULL"),
)


def upgrade() -> None:
    upgrade_to_promises(op.get_bind())
    for name, columns, condition in INDEXES:
        unique = "UNIQUE " if name.startswith("one_") else ""
        op.execute(f"CREATE {unique}INDEX {name}_new ON basket_line ({columns}) WHERE {condition}")
        op.execute(f"DROP INDEX {name}")
        op.execute(f"ALTER INDEX {name}_new RENAME TO {name}")
