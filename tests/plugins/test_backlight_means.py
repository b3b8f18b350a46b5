"""What switches a screen: real files, real processes, a real X server."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import missing
from screens import VCGENCMD, WLOPM, WLR_RANDR, XSET, backlight, device, script

from avatard.api.errors import NotReady
from avatard.plugins.backlight.commands import Dpms, Vcgencmd, Wlopm, WlrRandr, run
from avatard.plugins.backlight.config import ScreenConfig
from avatard.plugins.backlight.probing import probe
from avatard.plugins.backlight.sysfs import Sysfs
from avatard.plugins.backlight.touch import Fingers, is_pointer

LOG = logging.getLogger("avatard.bridge.backlight")
WAYLAND, X11 = {"WAYLAND_DISPLAY": "wayland-1"}, {"DISPLAY": ":0"}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that is alone on the PATH, but for the shell's own."""
    own, shell = tmp_path / "bin", tmp_path / "shell"
    own.mkdir()
    shell.mkdir()
    for name in ("sh", "cat", "sed", "grep", "sleep", "printf", "rm"):
        (shell / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", f"{own}:{shell}")
    return own


@contextmanager
def nobody() -> Iterator[None]:
    """As a user without rights, where the test runs as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may look into."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_wlopm_switches_all_outputs_and_asks_them(path: Path) -> None:
    script(path, "wlopm", WLOPM)
    await Wlopm("*").switch(False)
    assert (path / "state").read_text() == "DSI-1 off\nHDMI-A-1 off\n"
    await Wlopm("*").switch(True)
    assert (path / "state").read_text() == "DSI-1 on\nHDMI-A-1 on\n"
    assert (path / "asked").read_text() == "--off *\n--on *\n"


async def test_wlopm_switches_one_output(path: Path) -> None:
    script(path, "wlopm", WLOPM)
    await Wlopm("HDMI-A-1").switch(False)
    assert (path / "state").read_text() == "DSI-1 on\nHDMI-A-1 off\n"
    with pytest.raises(NotReady, match=r"no output 'HDMI-A-2'; there are DSI-1, HDMI-A-1"):
        await Wlopm("HDMI-A-2").switch(True)


async def test_an_output_that_does_not_obey_is_seen(path: Path) -> None:
    script(path, "wlopm", 'echo "ERROR: Setting power mode for output failed." >&2\n[ -n "$1" ] || echo DSI-1 on\n')
    with pytest.raises(NotReady, match="wlopm: switched off, but DSI-1 is 'on'"):
        await Wlopm("*").switch(False)


async def test_no_monitor_is_no_output(path: Path) -> None:
    script(path, "wlopm", "exit 0\n")
    with pytest.raises(NotReady, match="is a monitor plugged in"):
        await Wlopm("*").switch(False)


async def test_wlr_randr_switches_and_asks(path: Path) -> None:
    script(path, "wlr-randr", WLR_RANDR)
    await WlrRandr("*").switch(False)
    assert (path / "randr").read_text() == "HDMI-A-1 no\nDSI-1 no\n"
    await WlrRandr("DSI-1").switch(True)
    assert (path / "randr").read_text() == "HDMI-A-1 no\nDSI-1 yes\n"
    with pytest.raises(NotReady, match="no output 'DP-1'"):
        await WlrRandr("DP-1").switch(True)


async def test_the_real_wlr_randr_without_a_compositor(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("wlr-randr") is None:
        missing("wlr-randr")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-none")
    with pytest.raises(NotReady, match="'wlr-randr' failed with 1: failed to connect to display"):
        await WlrRandr("*").switch(True)


async def test_vcgencmd(path: Path) -> None:
    script(path, "vcgencmd", VCGENCMD)
    await Vcgencmd().switch(False)
    assert (path / "power").read_text() == "0\n"
    await Vcgencmd().switch(True)
    assert (path / "power").read_text() == "1\n"
    (path / "kms").touch()
    with pytest.raises(NotReady, match="vc4-kms-v3d"):
        await Vcgencmd().switch(False)


async def test_dpms_stops_the_servers_own_timers_and_gives_them_back(path: Path) -> None:
    script(path, "xset", XSET)
    dpms = Dpms()
    await dpms.switch(True)
    await dpms.switch(False)
    assert (path / "monitor").read_text() == "Off\n"
    await dpms.switch(True)
    before = [line for line in (path / "words").read_text().splitlines() if line != "q"]
    assert before == ["s off", "dpms 0 0 0", "dpms force on", "dpms force off", "dpms force on"], before
    await dpms.close()
    after = (path / "words").read_text().splitlines()[-3:]
    assert after == ["s 600 300", "dpms 601 602 603", "-dpms"], after


@pytest.fixture
def xvfb() -> Iterator[str]:
    """A real X server."""
    if shutil.which("Xvfb") is None:
        missing("Xvfb (Debian package xvfb)")
    if shutil.which("xset") is None:
        missing("xset (Debian package x11-xserver-utils)")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "320x240x24"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        number = os.read(reading, 16).decode().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        os.close(reading)
        server.terminate()
        server.wait(10)


async def test_dpms_with_a_real_x_server(xvfb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", xvfb)
    printed = await run("xset", "q")
    if "Server does not have the DPMS Extension" in printed:  # as Xvfb 21.1
        with pytest.raises(NotReady, match="the X server has no DPMS extension"):
            await Dpms().switch(True)
        assert await run("xset", "q") == printed, "what it cannot switch it leaves alone"
        return
    dpms = Dpms()
    for on, word in ((True, "On"), (False, "Off"), (True, "On")):
        await dpms.switch(on)
        assert f"Monitor is {word}" in (await run("xset", "q"))
    await dpms.close()


async def test_dpms_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("xset") is None:
        missing("xset (Debian package x11-xserver-utils)")
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(NotReady, match=r"'xset q' failed with 1: .*xset: +unable to open display"):
        await Dpms().switch(True)


async def test_a_command_that_hangs_is_killed_with_its_children(path: Path) -> None:
    script(path, "wlopm", "echo $$ > {folder}/pid\nsleep 600 & echo $! > {folder}/child\nwait\n")
    with pytest.raises(NotReady, match=r"'wlopm' did not end within 0.5 s"):
        await run("wlopm", limit=0.5)
    for name in ("pid", "child"):
        pid = int((path / name).read_text())
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail(f"{name} {pid} lives on")


async def test_a_command_that_is_no_longer_wanted_is_killed(path: Path) -> None:
    script(path, "wlopm", "echo $$ > {folder}/pid.part && cat {folder}/pid.part > {folder}/pid\nsleep 600\n")
    task = asyncio.create_task(run("wlopm"))
    while not (path / "pid").exists() or not (path / "pid").read_text():
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{(path / 'pid').read_text().strip()}").exists()


async def test_a_command_that_fails_says_why(path: Path) -> None:
    script(path, "wlopm", "echo 'no such protocol' >&2; exit 3\n")
    with pytest.raises(NotReady, match="'wlopm --on x' failed with 3: no such protocol"):
        await run("wlopm", "--on", "x")
    with pytest.raises(NotReady, match="vcgencmd is not installed"):
        await run("vcgencmd")
    (path / "odd").write_text("not a program")
    (path / "odd").chmod(0o755)
    with pytest.raises(NotReady, match=r"bin/odd: Exec format error"):
        await run("odd")


async def test_sysfs_switches_and_dims(tmp_path: Path) -> None:
    panel = backlight(tmp_path)
    sysfs = Sysfs(tmp_path)
    sysfs.prove()
    assert (panel / "brightness").read_text() == "200\n", "proving changes nothing"
    await sysfs.dim(10)
    assert (panel / "brightness").read_text() == "26\n", "10 % of 255"
    await sysfs.switch(False)
    assert (panel / "bl_power").read_text() == "4\n"
    await sysfs.dim(50)
    await sysfs.switch(True)
    assert [(panel / f).read_text() for f in ("bl_power", "brightness")] == ["0\n", "128\n"]
    await sysfs.dim(1)
    assert (panel / "brightness").read_text() == "3\n"


async def test_sysfs_without_a_switch_is_dark_at_zero(tmp_path: Path) -> None:
    panel = backlight(tmp_path, most=7, level=7, power=False)
    sysfs = Sysfs(tmp_path)
    await sysfs.switch(False)
    assert (panel / "brightness").read_text() == "0\n"
    await sysfs.dim(30)
    assert (panel / "brightness").read_text() == "0\n", "it does not light up to be dimmed"
    await sysfs.switch(True)
    assert (panel / "brightness").read_text() == "2\n"
    await sysfs.dim(1)
    assert (panel / "brightness").read_text() == "1\n", "1 % of few levels is not off"


def test_the_best_of_several_backlights_is_taken(tmp_path: Path) -> None:
    backlight(tmp_path, "a_raw"), backlight(tmp_path, "z_firmware", kind="firmware")
    assert Sysfs(tmp_path)._folder.name == "z_firmware"
    assert Sysfs(tmp_path, "a_raw")._folder.name == "a_raw"
    with pytest.raises(NotReady, match=r"no backlight 'x' in .*there is z_firmware, a_raw"):
        Sysfs(tmp_path, "x")


async def test_a_backlight_that_does_not_take_it_is_seen(tmp_path: Path) -> None:
    panel = backlight(tmp_path)
    sysfs = Sysfs(tmp_path)
    (panel / "brightness").unlink()
    (panel / "brightness").symlink_to("/dev/null")
    with pytest.raises(NotReady, match="brightness"):
        await sysfs.dim(50)
    shutil.rmtree(panel)
    with pytest.raises(NotReady, match="No such file"):
        await sysfs.switch(False)


async def test_a_backlight_without_rights_says_what_to_do(public: Path, path: Path) -> None:
    panel = backlight(public)
    for file in panel.iterdir():
        file.chmod(0o444)
    with nobody():
        found = await probe(ScreenConfig(root=public), {})
        assert "99-avatard.rules" in found.undimmed and "panel/brightness" in found.undimmed, found
        assert (found.switch.name, found.dimmer) == ("none", None), found
        with pytest.raises(NotReady, match=r"Permission denied; install systemd/99-avatard\.rules .*group video"):
            await probe(ScreenConfig(root=public, means="sysfs"), {})
    assert (panel / "brightness").read_text() == "200\n"


@pytest.mark.parametrize(("programs", "environment", "panel", "taken", "dims"), [
    ({"wlopm": WLOPM, "wlr-randr": WLR_RANDR, "vcgencmd": VCGENCMD}, WAYLAND, True, "wlopm", True),
    ({"wlopm": WLOPM}, WAYLAND, False, "wlopm", False),
    ({"wlopm": "exit 1\n", "wlr-randr": WLR_RANDR}, WAYLAND | X11, False, "wlr-randr", False),
    ({"wlopm": WLOPM, "xset": XSET}, X11, True, "dpms", True),
    ({"wlopm": WLOPM, "vcgencmd": VCGENCMD}, {}, True, "sysfs", True),
    ({"wlopm": "exit 1\n", "xset": XSET}, WAYLAND | X11, True, "sysfs", True),
    ({"vcgencmd": VCGENCMD}, {}, False, "vcgencmd", False),
    ({}, {}, False, "none", False),
], ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
async def test_the_first_that_proves_to_work_is_taken(
    path: Path, tmp_path: Path, programs: dict[str, str], environment: dict[str, str], panel: bool, taken: str,
    dims: bool,
) -> None:  # fmt: skip
    for name, text in programs.items():
        script(path, name, text)
    if panel:
        backlight(tmp_path)
    found = await probe(ScreenConfig(root=tmp_path), environment)
    assert (found.switch.name, found.dimmer is not None) == (taken, dims), found
    order = ["wlopm", "wlr-randr", "dpms", "sysfs", "vcgencmd", "none"]
    assert len(found.refused) == order.index(taken), found.refused
    for name, why in zip(order, found.refused, strict=False):
        assert name in why, (name, why)


async def test_what_is_named_is_taken_or_refused_with_its_reason(path: Path, tmp_path: Path) -> None:
    backlight(tmp_path)
    script(path, "vcgencmd", VCGENCMD)
    for means in ("vcgencmd", "none", "sysfs"):
        config: Any = {"means": means, "root": tmp_path}
        assert (await probe(ScreenConfig(**config), WAYLAND)).switch.name == means
    with pytest.raises(NotReady, match="wlopm is not installed"):
        await probe(ScreenConfig(means="wlopm", root=tmp_path), WAYLAND)
    with pytest.raises(NotReady, match="WAYLAND_DISPLAY is not set"):
        await probe(ScreenConfig(means="wlopm", root=tmp_path), {})


TOUCH_KEYS = "400 0 0 0 0 0" if os.sysconf("SC_LONG_BIT") == 64 else "400 0 0 0 0 0 0 0 0 0 0"
"""BTN_TOUCH, as /sys/class/input/…/capabilities/key shows it."""


def test_pointers_are_told_from_other_devices(tmp_path: Path) -> None:
    kinds = {
        "event0": ("touch screen", {"key": TOUCH_KEYS, "abs": "2608000 3", "properties": "2"}, True),
        "event1": ("old touch screen", {"key": TOUCH_KEYS, "abs": "3"}, True),
        "event2": ("mouse", {"key": "70000 0 0 0 0", "rel": "903"}, True),
        "event3": ("keyboard", {"key": "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"}, False),
        "event4": ("accelerometer", {"abs": "7", "properties": "40"}, False),
        "event5": ("power button", {"key": "10000000000000 0"}, False),
    }
    for event, (name, bits, _) in kinds.items():
        device(tmp_path, event, name, **bits)
    folder = tmp_path / "sys/class/input"
    assert {e: is_pointer(folder / e / "device") for e in kinds} == {e: k[2] for e, k in kinds.items()}
    assert not is_pointer(folder / "event9" / "device")


async def until(condition: Any) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        await asyncio.sleep(0.01)


async def test_touches_are_told_at_most_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.plugins.backlight.touch.PAUSE", 0.2)
    fifo = device(tmp_path, "event0", "Goodix", properties="2")
    os.mkfifo(fifo)
    touched: list[str] = []
    fingers = Fingers(tmp_path, touched.append, LOG)
    fingers.look()
    fingers.look()
    assert list(fingers._open) == ["event0"]
    with fifo.open("wb", buffering=0) as finger:
        for _ in range(5):
            finger.write(bytes(24 * 10))
        await until(lambda: touched)
        finger.write(bytes(24))
        await asyncio.sleep(0.05)
        assert touched == ["Goodix"], "one touch"
        await asyncio.sleep(0.4)
        finger.write(bytes(24))
        await until(lambda: len(touched) == 2)
    await until(lambda: not fingers._open)  # unplugged
    fingers.look()
    assert list(fingers._open) == ["event0"], "plugged in again"
    before = len(os.listdir("/proc/self/fd"))
    fingers.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1


async def test_devices_that_cannot_be_read_are_told_once(public: Path, caplog: pytest.LogCaptureFixture) -> None:
    for event in ("event0", "event1"):
        path = device(public, event, "Goodix", properties="2")
        os.mkfifo(path)
        path.chmod(0)
    with nobody(), caplog.at_level(logging.INFO):
        fingers = Fingers(public, lambda name: None, LOG)
        fingers.look()
        fingers.look()
    told = [r.getMessage() for r in caplog.records]
    assert len(told) == 1 and "event0: Permission denied; put the user into the group input" in told[0], told
    assert not fingers._open
