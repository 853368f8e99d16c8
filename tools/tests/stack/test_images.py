"""`make images` says what is missing before it begins, and hands what is the machine's own to build steps as secrets alone."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tools" / "images.sh"
TOOLS = ["bash", "cat", "cp", "dirname", "env", "grep", "mktemp", "rm", "sed", "sort", "tr"]
ENGINE = r"""#!/usr/bin/env bash
if [ "$1" = info ]; then
  [ -z "${ENGINE_FAILS:-}" ] || { printf 'first line\n%s\n' "$ENGINE_FAILS" >&2; exit 125; }
  exit 0
fi
printf '%s\n' "$*" >> "$SEEN/calls"
for word in "$@"; do
  case "$word" in id=*,src=*) id="${word%%,*}"; cp "${word#*,src=}" "$SEEN/${id#id=}" ;; esac
done
"""
MMDEBSTRAP = """#!/bin/sh
printf '%s\\n' "$*" >> "$SEEN/bootstraps"
for word in "$@"; do case "$word" in *.tar) : > "$word" ;; */sources) cp "$word" "$SEEN/bootstrap-sources" ;; esac; done
"""
APT = """#!/bin/sh
cat << 'LINES'
Packages http://mirror.example/debian/ bookworm main
Packages http://mirror.example/debian/ bookworm non-free
Contents http://mirror.example/debian/ bookworm main
Packages http://mirror.example/debian-security/ bookworm-security main
Packages https://elsewhere.example/apt/ bookworm-pgdg main
Packages https://elsewhere.example/apt/ bookworm stable
LINES
"""
APT_CONFIG = """#!/bin/sh
printf 'APT::Architecture "amd64";\\nAcquire::http::Proxy "http://proxy.example:3128";\\nAcquire::Check-Date "false";\\n'
"""


@dataclass
class Machine:
    """A machine with these commands only."""

    folder: Path

    def __post_init__(self) -> None:
        self.bin, self.seen = self.folder / "bin", self.folder / "seen"
        self.bin.mkdir()
        self.seen.mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            assert found is not None, name
            (self.bin / name).symlink_to(found)
        self.has("python3", "#!/bin/sh\nexit 1\n")  # no pip

    def has(self, name: str, program: str) -> None:
        (self.bin / name).write_text(program, encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def run(self, *images: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        whole = {
            "PATH": str(self.bin),
            "SEEN": str(self.seen),
            "SSL_CERT_FILE": str(self.folder / "ca"),
            "RESAPERMIS_DEBIAN_KEYS": str(self.folder / "ca"),
            **environment,
        }
        return subprocess.run((str(SCRIPT), *images), env=whole, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        file = self.seen / "calls"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def secret(self, name: str) -> str:
        return (self.seen / name).read_text(encoding="utf-8")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.has("podman", ENGINE)
    (tmp_path / "ca").write_text("an authority\n", encoding="utf-8")
    return made


def test_without_an_engine_it_says_which_to_install(tmp_path: Path) -> None:
    done = Machine(tmp_path).run()
    assert done.returncode != 0
    assert "podman, buildah or docker is needed" in done.stderr


def test_an_engine_that_does_not_work_is_told_from_none_with_its_own_words(machine: Machine) -> None:
    done = machine.run(ENGINE_FAILS="Error: no runtime")
    assert done.returncode != 0
    assert "podman is here, but does not work: Error: no runtime" in done.stderr
    assert machine.calls() == []


def test_a_base_of_debian_says_what_it_needs_before_anything_is_built(machine: Machine) -> None:
    done = machine.run(BASE="debian")
    assert done.returncode != 0
    assert "apt install mmdebstrap" in done.stderr
    assert machine.calls() == []


def test_an_image_that_there_is_not_is_refused_by_its_name(machine: Machine) -> None:
    done = machine.run("basket", "baskets")
    assert done.returncode != 0
    assert "there is no image named baskets" in done.stderr
    assert machine.calls() == []


def test_all_processes_are_built_on_the_base_that_is_asked_for(machine: Machine) -> None:
    assert machine.run(BASE="registry.example/python:3").returncode == 0
    calls = machine.calls()
    services = {folder.name for folder in (ROOT / "services").iterdir() if (folder / "pyproject.toml").exists()}
    assert services < {word.split("=")[1] for call in calls for word in call.split() if word.startswith("SERVICE=")}
    assert all("--build-arg BASE=registry.example/python:3" in call for call in calls)
    assert not any("postgres" in call for call in calls)


def test_a_base_of_debian_comes_first_and_is_that_of_all(machine: Machine) -> None:
    machine.has("mmdebstrap", MMDEBSTRAP)
    machine.has("apt-get", APT)
    machine.has("apt-config", APT_CONFIG)
    done = machine.run(BASE="debian")
    assert done.returncode == 0, done.stderr
    base, *others = machine.calls()
    assert base.split()[0] == "import"
    assert base.endswith("resapermis/base")
    tags = [call.split("--tag ")[1].split()[0] for call in others]
    assert {"resapermis/postgres15", "resapermis/postgres18", "resapermis/nats"} < set(tags[:5])
    assert tags[5] == "resapermis/auth-gateway"
    assert all("BASE=resapermis/base" in call for call in others)
    assert machine.secret("bootstrap-sources") == (
        "deb http://mirror.example/debian-security/ bookworm-security main\ndeb http://mirror.example/debian/ bookworm main\n"
    )


def test_what_is_the_machines_own_is_a_secret_and_no_argument(machine: Machine) -> None:
    machine.has("apt-get", APT)
    machine.has("apt-config", APT_CONFIG)
    index = "https://user:pass word'$(touch oops)@mirror.example/simple"
    done = machine.run(
        "basket",
        PIP_INDEX_URL=index,
        UV_DEFAULT_INDEX="https://mirror.example/uv",
        HTTPS_PROXY="http://proxy.example:3128",
        PIP_FIND_LINKS="/only/here",
        PIP_CERT="/only/here.pem",
        AWS_SECRET_ACCESS_KEY="another secret",
    )
    assert done.returncode == 0, done.stderr
    (call,) = machine.calls()
    assert "example" not in call
    assert "example" not in done.stdout + done.stderr
    settings = machine.secret("settings")
    shell = 'set -a; . "$1"; printf "%s|%s|%s" "$PIP_INDEX_URL" "$UV_DEFAULT_INDEX" "$HTTPS_PROXY"'
    read = subprocess.run(
        ("bash", "-c", shell, "-", str(machine.seen / "settings")), capture_output=True, text=True, check=True, env={}
    )
    assert read.stdout == f"{index}|https://mirror.example/uv|http://proxy.example:3128"
    assert "only/here" not in settings
    assert "another secret" not in settings
    assert machine.secret("ca") == "an authority\n"
    assert 'Acquire::http::Proxy "http://proxy.example:3128";' in machine.secret("apt")
    assert "APT::Architecture" not in machine.secret("apt")
    assert "elsewhere" not in machine.secret("sources")


def test_where_apt_knows_no_archive_of_the_release_it_is_debians_own(machine: Machine) -> None:
    assert machine.run("nats").returncode == 0
    assert machine.secret("sources").splitlines()[0] == "deb http://deb.debian.org/debian bookworm main"


def test_nothing_of_it_is_left_on_the_machine(machine: Machine) -> None:
    (machine.folder / "tmp").mkdir()
    folder = machine.folder / "tmp"
    assert machine.run("nats", TMPDIR=str(folder), PIP_INDEX_URL="https://u:p@mirror.example").returncode == 0
    assert not list(folder.iterdir())
