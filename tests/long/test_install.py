"""install.sh in a Debian root of its own: it installs, the daemon there answers, and it leaves no trace."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import ROOT, missing

from avatard.cli.conversation import record_questions

pytestmark = pytest.mark.long

SUITE, PYTHON = "bookworm", "3.11"
"""Debian's release, and the Python that it has."""
KEEP_OUT = re.compile(
    r"^(proc|sys|dev|var/log|var/cache/ldconfig)/|(^|/)__pycache__(/|$)"
    r"|^etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^etc/\.pwd\.lock$"
    r"|^run/systemd/systemd-units-load$"
)
"""No trace of avatard: kernel file systems, logs, compiled modules of Debian's Python, the backups that useradd makes,
and the mark of systemctl that units have changed."""
CONFIG = "name: box\nmicrophone: scripted\ndisplay: none\n"
AS_SYSTEMD = "HOME=/var/lib/avatard RUNTIME_DIRECTORY=/run/avatard STATE_DIRECTORY=/var/lib/avatard \
CACHE_DIRECTORY=/var/cache/avatard CONFIGURATION_DIRECTORY=/etc/avatard"
SERVE = """
avatard run -c "$1" & daemon=$!
for _ in $(seq 300); do
    [ -S "$RUNTIME_DIRECTORY/box.sock" ] && break
    kill -0 $daemon || exit 99
    sleep 0.2
done
avatard ask "what can you do"
avatard status --json
kill -TERM $daemon
wait $daemon && echo stopped
"""


def mirror() -> str:
    """The package archive that this machine is set up with."""
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        text = path.read_text() if path.is_file() else ""
        for stanza in text.split("\n\n"):
            fields = dict(re.findall(r"(?m)^(URIs|Suites):[ \t]*(.+)$", stanza))
            if SUITE in fields.get("Suites", "").split():
                return fields["URIs"].split()[0]
        if one := re.search(rf"(?m)^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+{SUITE}\s", text):
            return one[1]
    missing(f"an archive with Debian {SUITE} in /etc/apt")
    raise AssertionError


class Debian:
    """A root of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, script: str, *args: str, user: str = "", environment: str = "") -> subprocess.CompletedProcess[str]:
        """Run a shell script in it; what it mounts and starts ends with it."""
        become = f"runuser -u {user} -- " if user else ""
        mount = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
        inner = f'cd / && exec {become}env {environment} sh -c "$0" "$0" "$@"'
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", mount,
             str(self.root), "sh", "-c", inner, script, *args],
            capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                 "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/wheels"},
        )  # fmt: skip

    def must(self, script: str, *args: str, user: str = "", environment: str = "") -> str:
        """Run it; it succeeds."""
        done = self.run(script, *args, user=user, environment=environment)
        print(f"$ {script}\n{done.stdout}{done.stderr}")
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout

    @contextmanager
    def systemd(self) -> Iterator[Callable[[], list[bytes]]]:
        """Someone who hears what services tell systemd, at /tmp/notify."""
        path = self.root / "tmp" / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as hearing:
            hearing.bind(str(path))
            path.chmod(0o777)
            ears = threading.Event()
            messages: list[bytes] = []

            def listen() -> None:
                while not ears.wait(0.02):
                    with suppress(BlockingIOError):
                        while True:
                            messages.append(hearing.recv(4096))

            thread = threading.Thread(target=listen)
            thread.start()
            try:
                yield lambda: list(messages)
            finally:
                ears.set()
                thread.join()
                path.unlink()

    def listing(self) -> dict[str, tuple[object, ...]]:
        """Every file with owner, rights and content."""
        found: dict[str, tuple[object, ...]] = {}
        for folder, folders, files in os.walk(self.root):
            for name in folders + files:
                path = Path(folder, name)
                inside = str(path.relative_to(self.root))
                if KEEP_OUT.search(inside + ("/" if path.is_dir() else "")):
                    continue
                status = path.lstat()
                content = os.readlink(path) if path.is_symlink() else ""
                if path.is_file() and not path.is_symlink():
                    content = hashlib.sha1(path.read_bytes()).hexdigest()
                found[inside] = (oct(status.st_mode), status.st_uid, status.st_gid, content)
        return found


def changed(before: dict[str, tuple[object, ...]], after: dict[str, tuple[object, ...]]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """Debian with Python, systemd and udev; under /srv a checkout, a wheel, what it requires and a question."""
    for program in ("debootstrap", "unshare", "chroot"):
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            missing(f"{program} (Debian package {program if program == 'debootstrap' else 'util-linux'})")
    if os.getuid() != 0:
        missing("root (debootstrap needs it)")
    folder = tmp_path_factory.mktemp("debian")
    root = folder / "root"
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=python3,python3-venv,systemd,udev", SUITE, str(root), mirror()],
        capture_output=True, text=True, timeout=900, check=False,
        env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    furnish(root / "srv")
    yield Debian(root)
    shutil.rmtree(folder, ignore_errors=True)


def furnish(srv: Path) -> None:
    checkout = srv / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    copy = srv / "copy"
    shutil.copytree(checkout, copy)
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(srv), str(copy)], check=True
    )
    shutil.rmtree(copy)
    wheel = next(srv.glob("avatard-*.whl"))
    subprocess.run(
        [*pip, "download", "--only-binary=:all:", "--python-version", PYTHON, "-c", str(ROOT / "constraints.txt"),
         "-d", str(srv / "wheels"), str(wheel), "setuptools>=68", "wheel"],
        check=True, timeout=600,
    )  # fmt: skip
    for mine in (srv / "wheels").glob("avatard-*"):
        mine.unlink()
    asyncio.run(record_questions(srv))
    (srv / "box.yaml").write_text(CONFIG)
    for path in srv.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.suffix == ".sh" else 0o644)


def answers(debian: Debian, user: str, environment: str) -> None:
    """The daemon there answers a recording, serves its socket and stops when told to."""
    out = "/tmp/answer"
    printed = debian.must(
        f"avatard demo --wav /srv/question1.wav --out {out} --json", user=user, environment=environment
    )
    (turn,) = json.loads(printed)["turns"]
    assert turn["heard"] == "what time is it" and turn["reply"], turn
    assert turn["frames"]["count"] > 25 and (debian.root / out[1:] / "demo.mp4").stat().st_size > 10_000
    shutil.rmtree(debian.root / out[1:])
    with debian.systemd() as heard:
        told = f"{environment} NOTIFY_SOCKET=/tmp/notify WATCHDOG_USEC=1000000"
        reply, status, stopped = debian.must(SERVE, "/srv/box.yaml", user=user, environment=told).splitlines()
        messages = heard()
    assert reply and json.loads(status)["state"] == "idle", status
    assert stopped == "stopped"
    assert b"WATCHDOG=1" in messages and messages.index(b"READY=1") < messages.index(b"STOPPING=1"), messages


def test_a_system_service(debian: Debian) -> None:
    before = debian.listing()
    printed = debian.must("/srv/checkout/systemd/install.sh")
    assert "systemd does not run here" in printed
    names = set(debian.listing()) - set(before)
    assert {"usr/local/bin/avatard", "etc/avatard/avatard.yaml", "etc/systemd/system/avatard.service",
            "etc/systemd/system/multi-user.target.wants/avatard.service", "usr/local/lib/avatard/install.sh"} <= names
    assert debian.must("systemd-analyze verify --man=no avatard.service 2>&1") == ""
    assert debian.must("avatard check").startswith("OK  /etc/avatard/avatard.yaml")
    assert "audio" in debian.must("id avatard")
    debian.must("install -d -o avatard -g avatard /run/avatard /var/lib/avatard /var/cache/avatard")
    answers(debian, "avatard", AS_SYSTEMD)

    # Once more, from a wheel: the program is replaced, the configuration stays.
    config = debian.root / "etc" / "avatard" / "avatard.yaml"
    config.write_text("name: Hall\n")
    package = next((debian.root / "usr" / "local" / "lib" / "avatard" / "venv" / "lib").glob("python3*/site-packages"))
    (package / "avatard" / "__main__.py").write_text("broken\n")
    printed = debian.must("/srv/checkout/systemd/install.sh --wheel /srv/avatard-*.whl")
    assert "/etc/avatard/avatard.yaml is there and stays as it is" in printed
    assert config.read_text() == "name: Hall\n"
    answers(debian, "avatard", AS_SYSTEMD)

    done = debian.run("/usr/local/lib/avatard/install.sh --uninstall --keep-config --dry-run")
    assert done.returncode == 0 and "kept: /etc/avatard" in done.stdout, done
    debian.must("/usr/local/lib/avatard/install.sh --uninstall")
    traces = changed(before, debian.listing())
    assert traces == [], traces


def test_uninstall_can_keep_the_configuration(debian: Debian) -> None:
    before = debian.listing()
    debian.must("/srv/checkout/systemd/install.sh --wheel /srv/avatard-*.whl --no-start")
    assert not (debian.root / "etc/systemd/system/multi-user.target.wants/avatard.service").is_symlink()
    debian.must("/srv/checkout/systemd/install.sh --uninstall --keep-config")
    assert changed(before, debian.listing()) == ["etc/avatard", "etc/avatard/avatard.yaml"]
    debian.must("/srv/checkout/systemd/install.sh --uninstall")
    assert changed(before, debian.listing()) == []


def test_a_failed_installation_can_be_removed_too(debian: Debian) -> None:
    before = debian.listing()
    done = debian.run("PIP_FIND_LINKS=/absent /srv/checkout/systemd/install.sh --wheel /srv/avatard-*.whl")
    assert done.returncode == 1 and "what avatard requires could not be installed" in done.stderr, done
    assert "Done" not in done.stdout
    debian.must("/srv/checkout/systemd/install.sh --uninstall")
    assert changed(before, debian.listing()) == []


def test_a_user_service(debian: Debian) -> None:
    debian.must("useradd --create-home ann")
    before = debian.listing()
    home = "HOME=/home/ann PATH=/home/ann/.local/bin:/usr/bin:/bin"
    as_root = debian.run("/srv/checkout/systemd/install.sh --user")
    assert (as_root.returncode, "without sudo" in as_root.stderr) == (2, True), as_root
    printed = debian.must("/srv/checkout/systemd/install.sh --user", user="ann", environment=home)
    assert "systemctl --user enable --now avatard" in printed
    names = set(debian.listing()) - set(before)
    assert {name.split("/")[0] for name in names} == {"home"}
    assert {"home/ann/.local/bin/avatard", "home/ann/.config/avatard/avatard.yaml",
            "home/ann/.config/systemd/user/avatard.service"} <= names
    runtime = f"{home} RUNTIME_DIRECTORY=/home/ann/.cache/avatard/run"
    answers(debian, "ann", runtime)
    debian.must("/home/ann/.local/share/avatard/install.sh --user --uninstall", user="ann", environment=home)
    traces = changed(before, debian.listing())
    assert traces == [], traces
