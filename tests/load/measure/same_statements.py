"""What basket's PostgreSQL could do with the very statements of a hold: taken from its log, run by pgbench.

One school's actions are done once while PostgreSQL logs what basket's role asks. The transactions that name the school
become a pgbench script: each statement as it was sent, its parameters bound. As all ids of a school end in its ten
digits, a parameter for another school is the same text with other digits; a SELECT makes these texts first, and what
that SELECT costs alone is measured and taken off. Runs on a copy of the database, so that nothing here counts there.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devstack.postgres import BINARIES

_RECORD = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ UTC \[(\d+)\] (\S*)@(\S*) (\w+):  ", re.MULTILINE)
_EXECUTE = re.compile(r"(?:execute [^:]*|statement): (.*)", re.DOTALL)
_PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')(?:, |$)")
_PLACE = re.compile(r"\$(\d+)")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX = re.compile(r"\\x([0-9a-f]+)")
_TPS = re.compile(r"tps = ([\d.]+)")
# Ten digits, never the same twice: multiplying by a number prime to the range walks through all of it.
_NUMBER = r"\set n 1000000000 + ((:run * 100000000 + :client_id * 1000000 + :i) * 7368787) % 9000000000"


@dataclass(frozen=True)
class Statement:
    """One statement as PostgreSQL logged it; parameters are SQL literals."""

    sql: str
    parameters: tuple[str, ...] = ()


def transactions(log: str, database: str, digits: str) -> list[list[Statement]]:
    """The transactions of `database` that name `digits` in a parameter, in the order of their first statement."""
    found: list[list[Statement]] = []
    open_: dict[str, list[Statement]] = {}
    last: dict[str, list[Statement]] = {}
    for pid, kind, text in _records(log, database):
        if kind == "DETAIL" and pid in last:
            values = tuple(value for _, value in _PARAMETER.findall(text))
            last[pid][-1] = Statement(last[pid][-1].sql, values)
        elif kind == "LOG" and (asked := _EXECUTE.match(text)):
            sql = asked[1].strip().removesuffix(";")
            if sql.startswith("BEGIN"):
                open_[pid] = []
                found.append(open_[pid])
            elif pid not in open_:  # a statement that is a transaction by itself
                found.append([])
            last[pid] = open_.get(pid, found[-1])
            last[pid].append(Statement(sql))
            if sql in {"COMMIT", "ROLLBACK"}:
                open_.pop(pid, None)
    return [one for one in found if _whole(one) and _names(one, digits)]


def _whole(statements: Sequence[Statement]) -> bool:
    return not statements[0].sql.startswith("BEGIN") or statements[-1].sql == "COMMIT"


def _records(log: str, database: str) -> Iterator[tuple[str, str, str]]:
    heads = list(_RECORD.finditer(log))
    for head, after in zip(heads, [*heads[1:], None], strict=True):
        if head[3] == database:
            yield head[1], head[4], log[head.end() : after.start() if after is not None else len(log)].rstrip("\n")


def _names(statements: Sequence[Statement], digits: str) -> bool:
    forms = (digits, digits.encode().hex())
    return any(form in value for one in statements for value in one.parameters for form in forms)


def _ids(text: str) -> set[str]:
    inside = [bytes.fromhex(found).decode("latin-1") for found in _HEX.findall(text) if len(found) % 2 == 0]
    return {found for part in (text, *inside) for found in _UUID.findall(part)}


def _renamed(statements: Sequence[Statement], digits: str) -> list[Statement]:
    """Ids that basket made get the school's digits too, so that each run of the script has its own."""
    made = sorted({found for one in statements for value in one.parameters for found in _ids(value)})
    names = {old: f"01900000-0000-7000-9{place:03x}-00{digits}" for place, old in enumerate(made) if digits not in old}

    def rename(value: str) -> str:
        for old, new in names.items():
            value = value.replace(old, new).replace(old.encode().hex(), new.encode().hex())
        return value

    return [Statement(one.sql, tuple(map(rename, one.parameters))) for one in statements]


def script(statements: Sequence[Statement], digits: str, *, only_prepare: bool = False) -> str:
    """A pgbench script of these statements for ever new digits; `only_prepare`: just the making of parameters."""
    makes: list[str] = []
    lines: list[str] = []
    for one in _renamed(statements, digits):
        values = list(one.parameters)
        for place, value in enumerate(values):
            made = value
            if digits in made:
                made = f"replace({made}, '{digits}', n.plain)"
            if digits.encode().hex() in value:
                made = f"replace({made}, '{digits.encode().hex()}', n.hexed)"
            if made != value:
                makes.append(f"{made} AS v{len(makes)}")
                values[place] = f":v{len(makes) - 1}"
        sql = " ".join(one.sql.split())
        lines.append(_PLACE.sub(lambda found, values=values: values[int(found[1]) - 1], sql) + ";")  # type: ignore[misc]
    plain = "WITH n AS MATERIALIZED (SELECT :n::text AS plain, encode(convert_to(:n::text, 'UTF8'), 'hex') AS hexed)"
    head = [r"\set i :i + 1", _NUMBER, plain, f"SELECT {', '.join(makes)}", r"FROM n \gset"]
    return "\n".join(head + ([] if only_prepare else lines)) + "\n"


@dataclass(frozen=True)
class Pgbench:
    """Where to run it. `socket`: the server's folder; `folder`: where scripts are written."""

    socket: Path
    database: str
    folder: Path

    async def rate(self, texts: Mapping[str, int], clients: int, seconds: int, run: int) -> float:
        """Scripts (each with its weight) a second with this many connections; RuntimeError with pgbench's words."""
        command = [str(BINARIES / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2"]
        command += ["-T", str(seconds), "-D", "i=0", "-D", f"run={run}"]
        for place, (text, weight) in enumerate(texts.items()):
            file = self.folder / f"hold-{run}-{place}.sql"
            file.write_text(text, encoding="utf-8")
            command += ["-f", f"{file}@{weight}"]
        command += ["-h", str(self.socket), "-U", "basket", self.database]
        child = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await child.communicate()
        rate = _TPS.search(output.decode())
        if child.returncode != 0 or rate is None or b"aborted" in errors:
            msg = f"pgbench failed: {errors.decode('utf-8', 'replace')[-1500:]}"
            raise RuntimeError(msg)
        return float(rate[1])

    async def making_seconds(self, statements: Sequence[Statement], digits: str, clients: int, run: int) -> float:
        """What making the parameters costs alone, a script: seconds of all connections together."""
        return 1 / await self.rate({script(statements, digits, only_prepare=True): 1}, clients, 2, run)
