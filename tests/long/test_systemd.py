"""The user's unit under a real systemd: a service manager of a user, in namespaces of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT, missing

pytestmark = pytest.mark.long

MANAGER = Path("/lib/systemd/systemd")
SCRIPT = """
mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/systemd/system /run/user/me || exit 97
mount -t proc proc /proc
export HOME="$1" XDG_CONFIG_HOME="$1/.config" XDG_STATE_HOME="$1/.state" XDG_CACHE_HOME="$1/.cache"
export XDG_RUNTIME_DIR=/run/user/me
"$0" --user >/dev/null 2>&1 &
until systemctl --user show-environment >/dev/null 2>&1; do kill -0 $! || exit 98; sleep 0.2; done
main() { systemctl --user show avatard --value -p MainPID; }
systemctl --user start avatard && echo started
echo "status $(systemctl --user show avatard --value -p StatusText)"
first=$(main)
systemctl --user reload avatard && sleep 2
[ "$(main)" = "$first" ] && echo "reloaded $(systemctl --user is-active avatard)"
sleep 6
[ "$(main)" = "$first" ] && echo "fed $(systemctl --user is-active avatard)"
kill -STOP "$first"
for _ in $(seq 150); do
    [ "$(main)" != "$first" ] && [ "$(systemctl --user is-active avatard)" = active ] && break
    sleep 0.2
done
echo "hung $(systemctl --user is-active avatard) $(systemctl --user show avatard --value -p NRestarts)"
systemctl --user stop avatard
echo "stopped $(systemctl --user show avatard --value -p Result) $(systemctl --user is-active avatard)"
echo "nonsense: 1" >"$1/.config/avatard/avatard.yaml"
systemctl --user start avatard 2>/dev/null
sleep 5
echo "faulty $(systemctl --user is-active avatard) $(systemctl --user show avatard --value -p ExecMainStatus)" \
    "$(systemctl --user show avatard --value -p NRestarts)"
"""


def groups() -> set[Path]:
    return {Path(folder) for folder, _, _ in os.walk("/sys/fs/cgroup")}


@pytest.fixture
def no_groups_left() -> Iterator[None]:
    """Control groups are no namespace's own: a manager that was killed leaves its empty ones."""
    before = groups()
    yield
    for folder in sorted(groups() - before, reverse=True):
        with suppress(OSError):
            folder.rmdir()


@pytest.mark.usefixtures("no_groups_left")
def test_a_life_under_systemd(tmp_path: Path) -> None:
    for program in ("unshare", "systemctl"):
        if shutil.which(program) is None:
            missing(program)
    if not MANAGER.exists() or os.getuid() != 0:
        missing("systemd, as root")
    home = tmp_path / "home"
    unit = home / ".config" / "systemd" / "user" / "avatard.service"
    program = home / ".local" / "share" / "avatard" / "venv" / "bin" / "avatard"
    config = home / ".config" / "avatard" / "avatard.yaml"
    for path in (unit, program, config):
        path.parent.mkdir(parents=True)
    shutil.copy(ROOT / "systemd" / "user" / "avatard.service", unit)
    override = unit.parent / "avatard.service.d" / "quick.conf"
    override.parent.mkdir()
    override.write_text("[Service]\nWatchdogSec=3\nTimeoutStopSec=5\nRestartSec=0.2\n")
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m avatard "$@"\n')
    program.chmod(0o755)
    config.write_text("name: box\nmicrophone: scripted\ndisplay: none\n")
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT,
         str(MANAGER), str(home)],
        capture_output=True, text=True, timeout=180, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "started" in said and "wake_word microwakeword" in said.pop("status"), (said, done.stderr)
    assert said == {
        "started": "", "reloaded": "active", "fed": "active", "hung": "active 1", "stopped": "success inactive",
        "faulty": "failed 78 0",
    }, said  # fmt: skip
