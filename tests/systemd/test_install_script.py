"""install.sh where nothing is installed; tests/long installs with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, missing

SCRIPT = ROOT / "systemd" / "install.sh"


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), *args], capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | environment,
    )  # fmt: skip


def test_shellcheck_finds_nothing() -> None:
    if shutil.which("shellcheck") is None:
        missing("shellcheck (Debian package shellcheck)")
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("args", "complaint"), [
    (["--nonsense"], "unknown argument: --nonsense"), (["--wheel"], "--wheel needs a file"),
    (["--dry-run", "--wheel", "/absent.whl"], "/absent.whl: no such file"),
])  # fmt: skip
def test_wrong_usage(args: list[str], complaint: str) -> None:
    if shutil.which("systemctl") is None:
        missing("systemctl (Debian package systemd)")
    done = run(*args)
    assert (done.returncode, complaint in done.stderr) == (2, True), done.stderr


def test_a_dry_run_says_everything_and_does_nothing() -> None:
    if shutil.which("systemctl") is None:
        missing("systemctl (Debian package systemd)")
    if Path("/etc/avatard").exists() or Path("/usr/local/lib/avatard").exists():
        pytest.skip("avatard is installed on this machine")
    done = run("--dry-run")
    assert done.returncode == 0, done.stderr
    places = ("/usr/local/lib/avatard/venv", "/usr/local/bin/avatard", "/etc/avatard/avatard.yaml",
              "/etc/sysusers.d/avatard.conf", "/etc/tmpfiles.d/avatard.conf", "/etc/udev/rules.d/99-avatard.rules",
              "/etc/systemd/system/avatard.service")  # fmt: skip
    for place in places:
        assert place in done.stdout, done.stdout
        assert not Path(place).exists(), place
    assert run("--uninstall", "--dry-run").stdout == "Removing avatard:\n"
