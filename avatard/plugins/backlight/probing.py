"""Finding what switches this screen: each means proves itself, the first that does is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from avatard.api.errors import NotReady
from avatard.plugins.backlight.commands import Dpms, Vcgencmd, Wlopm, WlrRandr
from avatard.plugins.backlight.config import ScreenConfig
from avatard.plugins.backlight.means import Dimmer, Nothing, Switch
from avatard.plugins.backlight.sysfs import Sysfs, denied


@dataclass(frozen=True, slots=True)
class Found:
    """What was taken."""

    switch: Switch
    dimmer: Dimmer | None
    """None where the brightness cannot be set."""
    refused: tuple[str, ...] = ()
    """Why not the others."""
    undimmed: str = ""
    """What a person can do so that the brightness can be set."""


async def probe(config: ScreenConfig, environment: Mapping[str, str]) -> Found:
    """Find what works: it was told to switch the screen on, and the screen says that it is.

    Whether it can be switched off is seen when it first sleeps: nobody wants a flicker at each start.

    Raises:
        NotReady: the means that the configuration names does not work.
    """
    panel, undimmed = _panel(config)
    refused: list[str] = []
    for name, make in _means(config, environment, panel).items():
        if config.means not in ("auto", name):
            continue
        try:
            switch = make()
            await switch.switch(True)
        except NotReady as err:
            if config.means != "auto":
                raise
            refused.append(str(err))
            continue
        return Found(switch, panel, tuple(refused), undimmed)
    raise AssertionError("'none' always works")


def _panel(config: ScreenConfig) -> tuple[Sysfs | None, str]:
    if config.means == "none":
        return None, ""
    try:
        panel = Sysfs(config.root, config.device)
        panel.prove()
    except NotReady as err:
        return None, str(err) if denied(err) or config.device else ""
    return panel, ""


def _means(
    config: ScreenConfig, environment: Mapping[str, str], panel: Sysfs | None
) -> dict[str, Callable[[], Switch]]:
    wayland, x11 = environment.get("WAYLAND_DISPLAY"), environment.get("DISPLAY")

    def dpms() -> Switch:
        if wayland:
            raise NotReady("dpms: this is a Wayland session, whose X server switches nothing")
        return _with(x11, "dpms", "DISPLAY", Dpms())

    return {
        "wlopm": lambda: _with(wayland, "wlopm", "WAYLAND_DISPLAY", Wlopm(config.output)),
        "wlr-randr": lambda: _with(wayland, "wlr-randr", "WAYLAND_DISPLAY", WlrRandr(config.output)),
        "dpms": dpms,
        "sysfs": lambda: panel or Sysfs(config.root, config.device),
        "vcgencmd": Vcgencmd,
        "none": Nothing,
    }


def _with(value: str | None, name: str, variable: str, switch: Switch) -> Switch:
    if not value:
        raise NotReady(f"{name}: {variable} is not set: the daemon runs outside a desktop's session")
    return switch
