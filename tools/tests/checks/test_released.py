"""What a release promised: messages and migrations stay compatible with the last one."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lint
import releases
from checks import compatible
from checks.migrations.contracts import premature_contracts
from checks.migrations.unchecked import KIT_STEPS_FILE, unchecked_steps
from releases import NoRelease

BIN = Path(__file__).resolve().parents[3] / ".venv" / "bin"
OUR_RULES = Path(__file__).resolve().parents[3] / "protos" / "buf.yaml"
PROTO = """syntax = "proto3";
package one.v1;

message One {
  string name = 1;
}

message HoldPlaced {}

enum Kind {
  KIND_UNSPECIFIED = 0;
}

service Asked {
  rpc Ask(One) returns (One);
}
"""
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before!r}


def upgrade() -> None:
    {step}
"""
FIRST = 'op.create_table("one", sa.Column("id", sa.BigInteger, primary_key=True))'


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def commit(root: Path) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@x.example")
    subprocess.run(("git", "-C", str(root), "add", "-A"), check=True)
    subprocess.run(("git", "-C", str(root), *who, "commit", "-q", "-m", "x"), check=True)
    return subprocess.run(
        ("git", "-C", str(root), "rev-parse", "HEAD"), check=True, capture_output=True, text=True
    ).stdout.strip()


def repository(folder: Path) -> Path:
    subprocess.run(("git", "init", "-q", str(folder)), check=True)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path)


def test_the_first_release_is_not_compared_with_and_the_last_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compatible, "commit_of", lambda version: f"commit of {version}")
    write(tmp_path, "docs/releases.yaml", f"v0.1.0: {'a' * 40}\n")
    assert compatible.last_release(tmp_path) is None
    write(tmp_path, "docs/releases.yaml", f"v0.1.0: {'a' * 40}\nv0.2.0: {'b' * 40}\n")
    assert compatible.last_release(tmp_path) == ("v0.2.0", "commit of v0.2.0")


@pytest.mark.parametrize("versions", [["v0.10.0", "v0.9.0"], ["v0.2.0", "v0.1.0"], []])
def test_releases_out_of_order_are_refused(tmp_path: Path, versions: list[str]) -> None:
    write(tmp_path, "docs/releases.yaml", "".join(f"{version}: {'a' * 40}\n" for version in versions))
    with pytest.raises(NoRelease, match="oldest first"):
        compatible.last_release(tmp_path)


def test_the_tenth_minor_release_comes_after_the_ninth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatible, "commit_of", lambda version: f"commit of {version}")
    write(tmp_path, "docs/releases.yaml", f"v0.9.0: {'a' * 40}\nv0.10.0: {'b' * 40}\n")
    assert compatible.last_release(tmp_path) == ("v0.10.0", "commit of v0.10.0")


def test_lint_says_that_it_skips_and_fails_without_the_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    write(tmp_path, "docs/releases.yaml", f"v0.1.0: {'a' * 40}\n")
    assert lint.since_release(compatible.broken_messages, "buf") == "skipped: nothing was promised before v0.1.0"
    write(tmp_path, "docs/releases.yaml", f"v0.2.0: {'b' * 40}\n")
    monkeypatch.setattr(releases, "PAGE", tmp_path / "docs" / "releases.yaml")
    with pytest.raises(lint.Wrong, match="unshallow"):
        lint.since_release(compatible.broken_messages, "buf")


@pytest.fixture
def promised(root: Path) -> str:
    """The commit of a release under our own buf.yaml: an event, a service, and a package beside them."""
    write(root, "protos/buf.yaml", OUR_RULES.read_text(encoding="utf-8"))
    write(root, "protos/one/v1/one.proto", PROTO)
    write(root, "protos/two/v1/two.proto", PROTO.replace("one.v1", "two.v1"))
    return commit(root)


def broken(root: Path, released: str) -> list[str]:
    return compatible.broken_messages(root, released, str(BIN / "buf"))


def test_what_older_peers_do_not_notice_breaks_nothing(root: Path, promised: str) -> None:
    assert broken(root, promised) == []
    more = PROTO.replace("string name = 1;", "string name = 1;\n  string more = 2;")
    write(root, "protos/one/v1/one.proto", f"{more}\nmessage Other {{}}\n")
    assert broken(root, promised) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("string name", "int32 name", "one.proto:5"),
        ("  rpc Ask(One) returns (One);\n", "", 'RPC "Ask"'),
        ("message HoldPlaced", "message HoldMade", 'message "HoldPlaced"'),
        ("enum Kind {\n  KIND_UNSPECIFIED = 0;\n}", "", 'enum "Kind"'),
        ("service Asked {\n  rpc Ask(One) returns (One);\n}", "", 'service "Asked"'),
    ],
)
def test_what_older_peers_would_misread_or_miss_is_told(
    root: Path, promised: str, old: str, new: str, complaint: str
) -> None:
    assert old in PROTO
    write(root, "protos/one/v1/one.proto", PROTO.replace(old, new))
    assert any(complaint in line for line in broken(root, promised))


def test_a_whole_package_gone_is_told(root: Path, promised: str) -> None:
    (root / "protos/two/v1/two.proto").unlink()
    (found,) = broken(root, promised)
    assert 'package "two.v1"' in found


def versions(root: Path, service: str = "one") -> Path:
    return root / f"services/{service}/src/resapermis_{service}/migrations/versions"


def migration(root: Path, revision: str, before: str | None, step: str, service: str = "one") -> None:
    write(versions(root, service), f"{revision}_x.py", MIGRATION.format(revision=revision, before=before, step=step))


def test_a_migration_since_the_release_that_would_lock_a_live_table_is_told(root: Path) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    squawk = str(BIN / "squawk")
    assert compatible.dangerous_migrations(root, released, squawk) == []
    migration(root, "0002", "0001", 'op.add_column("one", sa.Column("name", sa.Text))')
    assert compatible.dangerous_migrations(root, released, squawk) == []
    migration(root, "0003", "0002", 'op.alter_column("one", "name", new_column_name="title")')
    found = compatible.dangerous_migrations(root, released, squawk)
    assert any("renaming-column" in line and "RENAME name TO title" in line for line in found), found
    assert all(line.startswith("resapermis_one: ") for line in found)


ADD_INDEX = 'op.create_index("one_name_idx", "one", ["name"], postgresql_concurrently={}, if_not_exists=True)'


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (ADD_INDEX.format(False), "require-concurrent-index-creation"),
        (ADD_INDEX.format(True), "ban-concurrent-index-creation-in-transaction"),
        (f"with op.get_context().autocommit_block():\n        {ADD_INDEX.format(True)}", ""),
    ],
    ids=["plain", "concurrently in a transaction", "concurrently outside of it"],
)
def test_an_index_of_a_live_table_is_made_concurrently_outside_of_the_transaction(
    root: Path, step: str, complaint: str
) -> None:
    migration(root, "0001", None, FIRST.replace("primary_key=True)", 'primary_key=True), sa.Column("name", sa.Text)'))
    released = commit(root)
    migration(root, "0002", "0001", step)
    migration(root, "0003", "0002", 'op.add_column("one", sa.Column("more", sa.Text))')
    found = compatible.dangerous_migrations(root, released, str(BIN / "squawk"))
    assert [line for line in found if not complaint or complaint not in line] == []
    assert bool(found) == bool(complaint)


def changed(root: Path, released: str) -> list[str]:
    return compatible.changed_migrations(root, released, str(BIN / "python"))


def test_a_released_migration_stays_as_it_was_released(root: Path) -> None:
    """Of services that did different things since: compared all at once, since it takes two processes a second of CPU."""
    step = 'op.execute("SELECT 2")'
    for service in ("goes_on", "changes", "forgets", "goes", "squeezes"):
        migration(root, "0001", None, FIRST, service)
        migration(root, "0002", "0001", step, service)
    for service, name in (("borrows", "ONE"), ("borrows_other", "OTHER")):
        migration(root, "0001", None, f"from steps_of_a_kit import {name}\n\n    op.execute({name})", service)
    write(root, "libs/kit/src/steps_of_a_kit.py", 'ONE = "SELECT 1"\nOTHER = "SELECT 1"\n')
    released = commit(root)

    migration(root, "0003", "0002", 'op.execute("SELECT 3")', "goes_on")
    migration(root, "0002", "0001", 'op.add_column("one", sa.Column("title", sa.Text))', "changes")
    (versions(root, "forgets") / "0002_x.py").unlink()
    shutil.rmtree(root / "services" / "goes")
    migration(root, "0003", "0001", 'op.execute("SELECT 3")', "squeezes")
    migration(root, "0002", "0003", step, "squeezes")
    write(root, "libs/kit/src/steps_of_a_kit.py", 'ONE = "SELECT 2"\nOTHER = "SELECT 1"\n')
    said = (line.split(": ", 1) for line in changed(root, released))
    compared = {service.removeprefix("resapermis_"): what for service, what in said}

    assert "goes_on" not in compared
    assert "+ALTER TABLE one ADD COLUMN title TEXT" in compared["changes"]
    assert "-SELECT 2;" in compared["changes"]
    assert "+gone: 0002_x.py" in compared["forgets"]
    assert "+the service is gone" in compared["goes"]
    # One put between released ones, and what a released one takes from elsewhere.
    assert "+SELECT 3;" in compared["squeezes"]
    assert "+SELECT 2;" in compared["borrows"]
    assert "borrows_other" not in compared


def test_a_released_migration_that_cannot_be_written_as_sql_any_more_is_named(root: Path) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    migration(root, "0001", None, 'raise LookupError("not here")')
    with pytest.raises(NoRelease, match="not here") as told:
        changed(root, released)
    assert str(told.value).splitlines()[-1] == str(versions(root).parent)


@pytest.mark.long_only  # `make lint` compares them with the release at each commit
def test_every_migration_of_ours_can_be_compared() -> None:
    assert changed(BIN.parents[1], "HEAD") == []


def test_only_what_is_new_is_written_as_sql_from_where_the_release_stood(root: Path) -> None:
    migration(root, "0001", None, FIRST)
    migration(root, "0002", "0001", 'op.execute("SELECT 2")')
    migration(root, "0003", "0002", 'op.execute("SELECT 3")')
    folder = root / "services/one/src/resapermis_one/migrations"
    sql = compatible.as_sql(folder, {"0001_x.py", "0002_x.py"})
    assert "SELECT 3" in sql
    assert "SELECT 2" not in sql
    assert "CREATE TABLE one" in compatible.as_sql(folder, set())


def test_checks_that_run_side_by_side_write_their_own_migrations(root: Path) -> None:
    migration(root, "0001", None, FIRST)
    for number in range(2, 20):
        migration(root, f"{number:04}", f"{number - 1:04}", f'op.execute("SELECT {number}")')
    folder = root / "services/one/src/resapermis_one/migrations"
    alone = compatible.as_sql(folder, set())
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: compatible.as_sql(folder, set()), range(32))) == {alone}


def test_a_migration_that_asks_the_database_cannot_be_told_beforehand(root: Path) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    migration(root, "0002", "0001", 'op.get_bind().execute(sa.text("SELECT 1")).scalar_one()')
    (found,) = compatible.dangerous_migrations(root, released, str(BIN / "squawk"))
    assert "a migration asks the database" in found


# What squawk does not see


HIDDEN = {
    "squawk-ignore": 'op.execute("-- squawk-ignore renaming-column\\nALTER TABLE one RENAME COLUMN id TO number")',
    "`DO ''`": """op.execute("DO $x$ BEGIN EXECUTE 'DROP TABLE one'; END $x$")""",
    "`CREATE OR REPLACE FUNCTION f() RETURNS i`": (
        """op.execute("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")"""
    ),
    "`TRUNCATE one`": 'op.execute("TRUNCATE one")',
    "`DELETE FROM one`": 'op.execute(sa.table("one").delete())',
}


@pytest.mark.parametrize(("what", "step"), HIDDEN.items(), ids=HIDDEN)
def test_a_step_that_squawk_does_not_see_wants_its_reason_beside_it(root: Path, what: str, step: str) -> None:
    migration(root, "0001", None, FIRST)
    migration(root, "0002", "0001", step)
    released = commit(root)
    assert unchecked_steps(root, released, "") == [], "what was released stays as it is"
    migration(root, "0003", "0002", step)
    (found,) = unchecked_steps(root, released, "")
    assert found.startswith(f"services/one/src/resapermis_one/migrations/versions/0003_x.py:10: {what}: ")
    migration(root, "0003", "0002", f"# unchecked: nobody reads it any more\n    {step}")
    assert unchecked_steps(root, released, "") == []
    migration(root, "0003", "0002", f"# unchecked:\n    {step}")
    assert len(unchecked_steps(root, released, "")) == 1
    harmless = "op.execute('COMMENT ON TABLE one IS NULL')"
    migration(root, "0003", "0002", f"# unchecked: nobody reads it any more\n    {harmless}\n    {step}")
    assert len(unchecked_steps(root, released, "")) == 1, "a reason is for what stands below it"


@pytest.mark.parametrize(
    "sql",
    [
        "do language plpgsql 'begin end'",
        "/* Squawk-Ignore ban-drop-table */ DROP TABLE one",
        "UPDATE one AS l SET id = 1",
        "UPDATE ONLY one SET id = 1",
        "UPDATE one l SET id = 1",
        'update"one"set id = 1',
        "DELETE /* all */ FROM one",
        "DELETE /* a /* b */ c */ FROM -- of\\n one",
        "TRUNCATE one",
        "MERGE INTO one USING two ON one.id = two.id WHEN MATCHED THEN DELETE",
        "MERGE INTO one USING two ON one.id = two.id WHEN MATCHED THEN UPDATE SET id = 2",
        "INSERT INTO one VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 3",
        "INSERT INTO one WITH gone AS (DELETE FROM two RETURNING id) SELECT id FROM gone",
        "INSERT INTO one (id) VALUES ((SELECT f()))",
        "WITH gone AS (DELETE FROM two RETURNING id) SELECT id FROM gone",
        "CREATE TABLE two (id) AS WITH gone AS (DELETE FROM one RETURNING id) SELECT id FROM gone",
        "CREATE RULE r AS ON INSERT TO one DO INSTEAD NOTHING",
        "CREATE TRIGGER t BEFORE INSERT ON one EXECUTE FUNCTION f()",
        "DROP OWNED BY CURRENT_USER",
        "ALTER TABLE one SET UNLOGGED",
        "ALTER TABLE one ADD COLUMN n int, SET UNLOGGED",
        "ALTER TABLE one ALTER COLUMN id TYPE bigint USING 0",
        "ALTER TABLE one DISABLE TRIGGER ALL",
        "ALTER TABLE one ENABLE ROW LEVEL SECURITY",
        "SELECT f()",
        "CALL f()",
        "COPY one FROM PROGRAM 'true'",
        "SET LOCAL session_replication_role = replica",
        "COMMENT ON TABLE one IS 'a;'; DELETE FROM one; COMMENT ON TABLE one IS ';'",
        "COMMENT ON TABLE one IS E'it\\\\'s'; DELETE FROM one",
        "COMMENT ON TABLE one IS $a$ ' $a$; DELETE FROM one; COMMENT ON TABLE one IS ''",
    ],
)
def test_sql_that_is_no_definition_wants_a_reason(root: Path, sql: str) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    migration(root, "0002", "0001", f'op.execute("""{sql}""")')
    (found,) = unchecked_steps(root, released, "")
    assert "0002_x.py:10: " in found


@pytest.mark.parametrize(
    "step",
    [
        "from alembic import context\n\n    context.config.attributes['connection'].execute('x')",
        "from os import environ\n\n    environ.get('HOME')",
        "if not op.get_context().as_sql:\n        op.drop_table('one')",
        "op.execute('COMMENT ON TABLE one IS NULL') if op.get_bind() else None",
        "isinstance(op.get_bind(), sa.Connection) and op.drop_table('one')",
        "for one in ('one',) * op.get_context().opts['n']:\n        op.drop_table(one)",
        "[op.drop_table(one) for one in ('one',) if getattr(op.get_bind(), 'x')]",
        "bind = op.get_bind()",
        "sa.inspect(op.get_bind())",
        "try:\n        op.drop_table('two')\n    finally:\n        pass",
        "return\n    op.drop_table('one')",
        "eval('1')",
        "[print, repr][0]()",
    ],
)
def test_python_that_is_more_than_one_step_after_the_other_wants_a_reason(root: Path, step: str) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    migration(root, "0002", "0001", step)
    assert unchecked_steps(root, released, "") != []


def test_what_the_kit_does_only_at_times_wants_a_reason_there(root: Path) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    kit = root / KIT_STEPS_FILE
    kit.parent.mkdir(parents=True)
    step = (
        "def step(connection):\n    {}if connection.in_transaction():\n        connection.execute('DROP TABLE one')\n"
    )
    kit.write_text(step.format(""), encoding="utf-8")
    (found,) = unchecked_steps(root, released, "")
    assert found.startswith(f"{KIT_STEPS_FILE}:2: a branch ")
    kit.write_text(step.format("# unchecked: nobody has it\n    "), encoding="utf-8")
    assert unchecked_steps(root, released, "") == []


def test_a_reason_above_a_statement_covers_its_lines(root: Path) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    block = 'op.execute("""\n        DO $$\n        BEGIN\n        END $$""")'
    migration(root, "0002", "0001", f"# unchecked: renames constraints only\n    {block}")
    assert unchecked_steps(root, released, "") == []
    migration(root, "0002", "0001", block)
    assert len(unchecked_steps(root, released, "")) == 1


def test_sql_is_judged_as_it_is_written_however_it_is_put_together(root: Path) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    migration(root, "0002", "0001", 'op.execute("D" "O $" "$ BEGIN END $" "$")')
    (found,) = unchecked_steps(root, released, "")
    assert "0002_x.py:10: `DO ''`" in found


def test_a_reason_in_one_migration_is_none_for_another(root: Path) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    migration(root, "0002", "0001", "op.execute('DELETE FROM one')  # unchecked: nobody reads it")
    migration(root, "0003", "0002", "op.execute('DELETE FROM one')")
    (found,) = unchecked_steps(root, released, "")
    assert "0003_x.py:10: " in found


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO one VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO one (id) VALUES ('DELETE FROM one; UPDATE one SET id = 1')",
        "CREATE TABLE two (id int REFERENCES one ON DELETE CASCADE) WITH (fillfactor = 80)",
        "ALTER TABLE one ADD COLUMN a numeric(3, 1), ALTER a SET DEFAULT 1, ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
        "ALTER TABLE ONLY one VALIDATE CONSTRAINT c",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON one (id)",
        "COMMENT ON TABLE one IS 'DO $$' -- TRUNCATE one;",
        "SET LOCAL lock_timeout = '1s'",
    ],
)
def test_definitions_that_squawk_judges_want_no_reason(root: Path, sql: str) -> None:
    migration(root, "0001", None, FIRST)
    released = commit(root)
    migration(root, "0002", "0001", f'op.execute("""{sql}""")  # DO $$')
    assert unchecked_steps(root, released, "") == []


# A contract comes a release after the code that does without


PUBLISHED = "v0.2.0: {}\nv0.3.0: {}\n"
TABLE = 'import sqlalchemy as sa\n\nones = sa.Table("one", sa.MetaData(), sa.Column("id", sa.BigInteger){})\n'


def contract(root: Path, revision: str, before: str, step: str, after: str | None) -> None:
    migration(root, revision, before, step)
    file = versions(root) / f"{revision}_x.py"
    if after is not None:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("\n\ndef ", f'\ncontracts_after = "{after}"\n\ndef '), encoding="utf-8")


@pytest.fixture
def two_releases(root: Path) -> tuple[str, str]:
    """v0.2.0 has a column `title`; v0.3.0 has it in its database still, and declares it no more."""
    migration(root, "0001", None, FIRST.replace("primary_key=True)", 'primary_key=True), sa.Column("title", sa.Text)'))
    write(root, "services/one/src/resapermis_one/tables.py", TABLE.format(', sa.Column("title", sa.Text)'))
    first = commit(root)
    write(root, "services/one/src/resapermis_one/tables.py", TABLE.format(""))
    second = commit(root)
    write(root, "docs/releases.yaml", PUBLISHED.format(first, second))
    return first, second


CONTRACTS = (
    "op.drop_column('one', 'title')",
    "op.execute('ALTER TABLE IF EXISTS one DROP title')",
    "op.alter_column('one', 'title', new_column_name='name')",
    "op.drop_table('one')",
    "op.rename_table('one', 'two')",
    "op.alter_column('one', 'title', nullable=False)",
    "op.alter_column('one', 'title', server_default=None)",
    "op.alter_column('one', 'title', type_=sa.String(10))",
    "op.execute('ALTER TABLE one ADD CONSTRAINT one_title_check CHECK (length(title) < 10) NOT VALID')",
    "op.execute('CREATE UNIQUE INDEX CONCURRENTLY one_title_idx ON one (title)')",
    "op.execute('ALTER TABLE one ADD COLUMN more text NOT NULL')",
    "op.execute('ALTER TABLE one ADD COLUMN more text, DROP COLUMN title')",
)
EXPANSIONS = (
    "op.execute('ALTER TABLE one ADD COLUMN IF NOT EXISTS more text')",
    "op.execute(\"ALTER TABLE one ADD COLUMN more text NOT NULL DEFAULT ''\")",
    "op.execute('ALTER TABLE one ALTER COLUMN title DROP NOT NULL')",
    "op.execute('ALTER TABLE one DROP CONSTRAINT one_pkey')",
    "op.execute('CREATE INDEX CONCURRENTLY one_title_idx ON one (title)')",
    "op.create_table('two', sa.Column('id', sa.BigInteger, nullable=False))\n    op.drop_table('two')",
    "op.execute('CREATE TABLE two (id int)')\n    op.execute('CREATE UNIQUE INDEX two_idx ON two (id)')",
    "op.execute('ALTER TABLE one ADD COLUMN more text')\n    op.drop_column('one', 'more')",
)


@pytest.mark.req("P-04")
@pytest.mark.parametrize("step", CONTRACTS)
def test_what_the_last_release_may_have_goes_only_after_a_release_that_does_without(
    root: Path, two_releases: tuple[str, str], step: str
) -> None:
    contract(root, "0002", "0001", step, None)
    (told,) = premature_contracts(root, two_releases[1], "")
    assert told.startswith("services/one/src/resapermis_one/migrations/versions/0002_x.py:10: `")
    assert "contracts_after" in told
    contract(root, "0002", "0001", step, "v0.4.0")
    (told,) = premature_contracts(root, two_releases[1], "")
    assert "v0.4.0 is in no line of docs/releases.yaml" in told


@pytest.mark.parametrize("step", CONTRACTS[1:3])
def test_a_release_that_still_declares_what_goes_does_not_do_without_it(
    root: Path, two_releases: tuple[str, str], step: str
) -> None:
    contract(root, "0002", "0001", step, "v0.2.0")
    (told,) = premature_contracts(root, two_releases[1], "")
    assert told.endswith("v0.2.0 still declares it in its tables")
    contract(root, "0002", "0001", step, "v0.3.0")
    assert premature_contracts(root, two_releases[1], "") == []


@pytest.mark.parametrize("step", EXPANSIONS)
def test_what_the_last_release_does_not_know_may_come_and_go(
    root: Path, two_releases: tuple[str, str], step: str
) -> None:
    contract(root, "0002", "0001", step, None)
    assert premature_contracts(root, two_releases[1], "") == []
    contract(root, "0002", "0001", step, "v0.3.0")
    (told,) = premature_contracts(root, two_releases[1], "")
    assert "takes nothing away" in told


def test_what_was_released_has_contracted_already(root: Path, two_releases: tuple[str, str]) -> None:
    contract(root, "0002", "0001", CONTRACTS[0], None)
    assert premature_contracts(root, commit(root), "") == []


def test_squawk_leaves_a_contract_that_says_its_release_to_this_check_and_no_other(
    root: Path, two_releases: tuple[str, str]
) -> None:
    squawk = str(BIN / "squawk")
    contract(root, "0002", "0001", CONTRACTS[1], None)
    assert any("ban-drop-column" in line for line in compatible.dangerous_migrations(root, two_releases[1], squawk))
    contract(root, "0002", "0001", CONTRACTS[1], "v0.3.0")
    assert compatible.dangerous_migrations(root, two_releases[1], squawk) == []
    contract(root, "0003", "0002", "op.execute('ALTER TABLE one DROP COLUMN id')", None)
    assert any("ban-drop-column" in line for line in compatible.dangerous_migrations(root, two_releases[1], squawk))
    contract(root, "0003", "0002", CONTRACTS[5], "v0.3.0")
    assert compatible.dangerous_migrations(root, two_releases[1], squawk) != [], "a lock harms whatever it is for"
