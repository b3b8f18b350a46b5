"""Which player there is, where it can show something, and the exact arguments for it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from avatard.api.errors import NotReady
from avatard.plugins.screen.config import DisplayConfig
from avatard.plugins.screen.monitor import connectors

BOUND = (
    "import ctypes,os,signal,sys;ctypes.CDLL(None).prctl(1,signal.SIGKILL);"
    "os.getppid()==int(sys.argv[1]) and os.execvp(sys.argv[2],sys.argv[2:])"
)
"""Asks the kernel (PR_SET_PDEATHSIG) for an end with the parent, then becomes the program."""
GROUPS = "sudo usermod -aG video,render,audio USER, then log in again or restart the service"


def bound(command: list[str]) -> list[str]:
    """The command as a child that does not outlive this process."""
    return [sys.executable, "-I", "-S", "-c", BOUND, str(os.getpid()), *command]


def player(config: DisplayConfig) -> str:
    """The path of mpv or ffplay.

    Raises:
        NotReady: it is not installed.
    """
    for name in ("mpv", "ffplay") if config.program == "auto" else (config.program,):
        if found := shutil.which(name):
            return found
    if config.program == "ffplay":
        raise NotReady("display: screen: there is no ffplay: sudo apt install ffmpeg, or better mpv")
    raise NotReady("display: screen: there is no mpv: sudo apt install mpv")


def desktop(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether there is an X11 or Wayland desktop to show a window on."""
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def reachable(dev: Path = Path("/dev")) -> None:
    """Without a desktop: see to it that the graphics card can be used directly.

    Raises:
        NotReady: there is none, or no permission for it.
    """
    cards = sorted((dev / "dri").glob("card*"))
    if not cards:
        raise NotReady(
            f"display: screen: no DISPLAY and no WAYLAND_DISPLAY is set, and there is no {dev}/dri/card*: start a "
            "desktop first, or switch the graphics driver on (Raspberry Pi: dtoverlay=vc4-kms-v3d in config.txt)"
        )
    if not any(os.access(card, os.R_OK | os.W_OK) for card in cards):
        raise NotReady(f"display: screen: no permission for {cards[0]}: {GROUPS}")


def mpv(program: str, config: DisplayConfig, descriptor: int, sys_drm: Path = Path("/sys/class/drm")) -> list[str]:
    """The command line of the mpv that shows the face; it is driven over this descriptor."""
    window = desktop()
    words = [
        program, *QUIET, f"--input-ipc-client=fd://{descriptor}", "--force-window=immediate",
        f"--fullscreen={_flag(config.fullscreen)}", "--cursor-autohide=always", "--stop-screensaver=always",
        "--hwdec=auto-safe", "--cache=no", "--rebase-start-time=no", "--audio-fallback-to-null=yes",
        "--vo=gpu,dmabuf-wayland,wlshm,xv,x11" if window else "--vo=gpu,drm", f"--video-rotate={config.rotate}",
        f"--panscan={1.0 if config.scale == 'fill' else 0.0}", f"--video-unscaled={_flag(config.scale == 'none')}",
    ]  # fmt: skip
    if not window:
        words.append("--gpu-context=drm")
    if config.monitor != "":
        words += _monitor(config.monitor, window, sys_drm)
    return words + _device(config)


def bell(program: str, config: DisplayConfig, descriptor: int) -> list[str]:
    """The command line of the mpv that plays short sounds."""
    return [program, *QUIET, f"--input-ipc-client=fd://{descriptor}", "--vid=no", "--audio-display=no", "--cache=no",
            *_device(config)]  # fmt: skip


QUIET = (
    "--no-config", "--idle=yes", "--msg-level=all=error", "--input-terminal=no", "--input-default-bindings=no",
    "--input-builtin-bindings=no", "--input-vo-keyboard=no", "--input-media-keys=no", "--osc=no", "--osd-level=0",
    "--osd-bar=no", "--load-scripts=no", "--ytdl=no", "--audio-client-name=avatard", "--title=avatard",
)  # fmt: skip
"""Nothing on the picture, nothing that a key could end, nothing of the user's own configuration of mpv."""


def _monitor(monitor: str | int, window: bool, sys_drm: Path) -> list[str]:
    number = int(monitor) if str(monitor).isdigit() else None
    if window:
        return [f"--screen={number}", f"--fs-screen={number}"] if number is not None else [
            f"--screen-name={monitor}", f"--fs-screen-name={monitor}"
        ]  # fmt: skip
    if number is None:
        return [f"--drm-connector={monitor}"]
    plugged = [name for name, there in connectors(sys_drm).items() if there]
    if number >= len(plugged):
        raise NotReady(
            f"display: screen: monitor: {number}: {len(plugged)} plugged in ({', '.join(plugged) or 'none'}); "
            "the first has the number 0"
        )
    return [f"--drm-connector={plugged[number]}"]


def _device(config: DisplayConfig) -> list[str]:
    return [f"--audio-device={config.device}"] if config.device else []


def _flag(on: bool) -> str:
    return "yes" if on else "no"
