"""The units, as systemd itself reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, missing

UNITS = {"system": ROOT / "systemd" / "avatard.service", "user": ROOT / "systemd" / "user" / "avatard.service"}
PROGRAM = {
    "system": "/usr/local/lib/avatard/venv/bin/avatard",
    "user": f"{Path.home()}/.local/share/avatard/venv/bin/avatard",
}


def analyze(*args: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze (Debian package systemd)")
    environment = os.environ | {"SYSTEMD_COLORS": "0", "HOME": str(Path.home())}
    return subprocess.run(
        ["systemd-analyze", *args], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


@pytest.fixture(params=["system", "user"])
def scope(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(scope: str, tmp_path: Path) -> Path:
    """A root with this machine's units, avatard's, and the programs that they name."""
    units = next((p for p in (Path("/usr/lib/systemd"), Path("/lib/systemd")) if (p / scope).is_dir()), None)
    if units is None:
        missing("systemd's own units (Debian package systemd)")
        raise AssertionError
    root = tmp_path / "root"
    shutil.copytree(units / scope, root / "usr" / "lib" / "systemd" / scope, symlinks=True, dirs_exist_ok=True)
    folder = root / "etc" / "systemd" / scope
    folder.mkdir(parents=True)
    shutil.copy(UNITS[scope], folder)
    for name in (PROGRAM[scope], "/bin/kill"):
        program = root / name.lstrip("/")
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return root


def verify(scope: str, root: Path) -> str:
    done = analyze("verify", f"--{scope}", f"--root={root}", "--man=no", f"/etc/systemd/{scope}/avatard.service")
    return done.stdout + done.stderr + (f"exit status {done.returncode}" if done.returncode else "")


def test_verify_prints_nothing(scope: str, root: Path) -> None:
    assert verify(scope, root) == ""


@pytest.mark.parametrize(("line", "complaint"), [
    ("WatchdogSec=soon", "Failed to parse"), ("MemoryLimt=1G", "Unknown key"), ("ExecStartPre=/bin/absent", "absent"),
])  # fmt: skip
def test_verify_would_find(line: str, complaint: str, scope: str, root: Path) -> None:
    unit = root / "etc" / "systemd" / scope / "avatard.service"
    unit.write_text(unit.read_text().replace("[Service]", f"[Service]\n{line}"))
    assert complaint in verify(scope, root), verify(scope, root)


def test_the_system_service_is_hardened(tmp_path: Path) -> None:
    done = analyze("security", "--offline=yes", "--threshold=20", str(UNITS["system"]))
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    bare = tmp_path / "avatard.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    assert analyze("security", "--offline=yes", "--threshold=20", str(bare)).returncode != 0


def test_the_account_and_its_files(tmp_path: Path) -> None:
    if shutil.which("systemd-sysusers") is None or os.getuid() != 0:
        missing("systemd-sysusers (Debian package systemd) as root")
    (tmp_path / "etc").mkdir()
    subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(ROOT / "systemd" / "avatard.sysusers")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    account = (tmp_path / "etc" / "passwd").read_text().split(":")
    assert (account[0], account[5]) == ("avatard", "/var/lib/avatard")
    groups = {line.split(":")[0]: line.split(":")[3] for line in (tmp_path / "etc" / "group").read_text().splitlines()}
    assert {name for name, members in groups.items() if members == "avatard"} == {"audio", "video", "render", "input"}

    secrets = tmp_path / "etc" / "avatard" / "secrets.yaml"
    secrets.parent.mkdir()
    secrets.write_text("mqtt_password: x\n")
    subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={tmp_path}", str(ROOT / "systemd" / "avatard.tmpfiles")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert secrets.stat().st_mode & 0o777 == 0o640
    assert secrets.stat().st_gid == int(account[3])
