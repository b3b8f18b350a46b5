"""The units, as systemd itself reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, missing

UNITS = {"system": ROOT / "systemd" / "avatard.service", "user": ROOT / "systemd" / "user" / "avatard.service"}


def analyze(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze (Debian package systemd)")
    return subprocess.run(
        ["systemd-analyze", *args], capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"SYSTEMD_COLORS": "0"} | environment,
    )  # fmt: skip


def program(path: Path) -> None:
    """Something that can be executed, where a unit expects it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.fixture(params=["system", "user"])
def scope(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def unit(scope: str, tmp_path: Path) -> Path:
    """The unit where systemd looks for it: in a root with this machine's units, or in a home."""
    if scope == "user":
        unit = tmp_path / "home" / ".config" / "systemd" / "user" / "avatard.service"
        program(tmp_path / "home" / ".local" / "share" / "avatard" / "venv" / "bin" / "avatard")
    else:
        unit = tmp_path / "root" / "etc" / "systemd" / "system" / "avatard.service"
        units = next((p for p in (Path("/usr/lib/systemd"), Path("/lib/systemd")) if (p / "system").is_dir()), None)
        if units is None:
            missing("systemd's own units (Debian package systemd)")
            raise AssertionError
        shutil.copytree(units / "system", tmp_path / "root" / "usr" / "lib" / "systemd" / "system", symlinks=True)
        for name in ("usr/local/lib/avatard/venv/bin/avatard", "bin/sh"):
            program(tmp_path / "root" / name)
    unit.parent.mkdir(parents=True)
    shutil.copy(UNITS[scope], unit)
    return unit


def verify(scope: str, unit: Path, tmp_path: Path) -> str:
    if scope == "user":
        # A .config of the test's own, since XDG_CONFIG_HOME may point elsewhere.
        home = tmp_path / "home"
        done = analyze("verify", "--user", "--man=no", str(unit), HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"))
    else:
        root = tmp_path / "root"
        done = analyze("verify", f"--root={root}", "--man=no", f"/{unit.relative_to(root)}")
    return done.stdout + done.stderr + (f"exit status {done.returncode}" if done.returncode else "")


def test_verify_prints_nothing(scope: str, unit: Path, tmp_path: Path) -> None:
    printed = verify(scope, unit, tmp_path)
    assert printed == "", printed


@pytest.mark.parametrize(("line", "complaint"), [
    ("WatchdogSec=soon", "Failed to parse"), ("MemoryLimt=1G", "Unknown key"), ("ExecStartPre=/bin/absent", "absent"),
])  # fmt: skip
def test_verify_would_find(line: str, complaint: str, scope: str, unit: Path, tmp_path: Path) -> None:
    unit.write_text(unit.read_text().replace("[Service]", f"[Service]\n{line}"))
    printed = verify(scope, unit, tmp_path)
    assert complaint in printed, printed


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
