"""Screens that a program switches; each is asked afterwards whether it obeyed."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from contextlib import suppress

from avatard.api.errors import NotReady

LIMIT = 5.0
"""Seconds that a command may take."""
KILLED = 1.0
"""Seconds that a killed command may take to be gone."""
TOLD = 200
"""Characters of what a command complained of that are told."""


async def run(*words: str, limit: float = LIMIT) -> str:
    """Run a command and return what it printed; it ends with us, and when its time is over.

    Raises:
        NotReady: it is not installed, failed, or took too long.
    """
    program, told = shutil.which(words[0]), " ".join(words)
    if program is None:
        raise NotReady(f"{words[0]} is not installed")
    try:
        process = await asyncio.create_subprocess_exec(
            program, *words[1:], stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as err:
        raise NotReady(f"{program}: {err.strerror or err}") from err
    try:
        async with asyncio.timeout(limit):
            printed, _ = await process.communicate()
    except TimeoutError as err:
        raise NotReady(f"'{told}' did not end within {limit:g} s") from err
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with suppress(TimeoutError):
                async with asyncio.timeout(KILLED):
                    await process.wait()
    text = printed.decode("utf-8", "replace").strip()
    if process.returncode:
        raise NotReady(f"'{told}' failed with {process.returncode}: {text[:TOLD] or 'it does not say why'}")
    return text


class Wlopm:
    """Outputs of a Wayland compositor that speaks wlr-output-power-management: labwc, sway, wayfire.

    ``wlopm`` alone prints a line ``NAME on|off`` for each output; ``--on`` and ``--off`` take a name, or ``*`` for all
    (wlopm(1)).
    """

    name = "wlopm"

    def __init__(self, output: str) -> None:
        """Switch one output, or ``*``."""
        self._output = output

    async def switch(self, on: bool) -> None:
        """Switch, then read the outputs' states."""
        await run("wlopm", "--on" if on else "--off", self._output)
        states = dict(line.rsplit(maxsplit=1) for line in (await run("wlopm")).splitlines() if " " in line.strip())
        check(self.name, on, chosen(states, self._output, self.name), "on")

    async def close(self) -> None:
        """Nothing was changed beside."""


class WlrRandr:
    """Outputs of a Wayland compositor that speaks wlr-output-management; switched off, an output is gone for windows.

    ``wlr-randr`` prints each output's name at the beginning of a line and ``Enabled: yes|no`` below it;
    ``--output NAME --on|--off`` may be repeated (wlr-randr(1)).
    """

    name = "wlr-randr"

    def __init__(self, output: str) -> None:
        """Switch one output, or ``*``."""
        self._output = output

    async def switch(self, on: bool) -> None:
        """Switch, then read the outputs' states."""
        names = chosen(await self._states(), self._output, self.name)
        await run("wlr-randr", *(w for name in names for w in ("--output", name, "--on" if on else "--off")))
        check(self.name, on, chosen(await self._states(), self._output, self.name), "yes")

    async def close(self) -> None:
        """Nothing was changed beside."""

    async def _states(self) -> dict[str, str]:
        states, name = {}, ""
        for line in (await run("wlr-randr")).splitlines():
            if line and not line[0].isspace():
                name = line.split()[0]
            elif found := re.fullmatch(r"\s+Enabled: (yes|no)", line):
                states[name] = found[1]
        return states


class Dpms:
    """The monitors of an X server, by ``xset dpms force on|off`` (xset(1)).

    The server's own timers would put out the screen behind our back: they are stopped, and set again on closing.
    """

    name = "dpms"

    def __init__(self) -> None:
        """Change nothing yet."""
        self._found: list[tuple[str, ...]] | None = None

    async def switch(self, on: bool) -> None:
        """Switch, then ask the server."""
        if self._found is None:
            found = timers(await run("xset", "q"))
            await run("xset", "s", "off")
            await run("xset", "dpms", "0", "0", "0")
            self._found = found
        await run("xset", "dpms", "force", "on" if on else "off")
        state = re.search(r"Monitor is (.+)", await run("xset", "q"))
        if state is None:
            raise NotReady("dpms: 'xset q' does not say whether the monitor is on")
        check(self.name, on, {os.environ.get("DISPLAY", ""): state[1].strip()}, "On")

    async def close(self) -> None:
        """Set the server's timers as they were."""
        found, self._found = self._found, None
        for words in found or ():
            await run("xset", *words)


def timers(printed: str) -> list[tuple[str, ...]]:
    """The words with which ``xset`` sets again what ``xset q`` printed.

    Raises:
        NotReady: this server cannot switch monitors.
    """
    blank = re.search(r"timeout:\s+(\d+)\s+cycle:\s+(\d+)", printed)
    dpms = re.search(r"Standby:\s+(\d+)\s+Suspend:\s+(\d+)\s+Off:\s+(\d+)", printed)
    if "does not have the DPMS Extension" in printed or dpms is None:
        raise NotReady("dpms: the X server has no DPMS extension")
    words: list[tuple[str, ...]] = [("s", *blank.groups())] if blank else []
    words.append(("dpms", *dpms.groups()))
    return [*words, ("-dpms",)] if "DPMS is Disabled" in printed else words


class Vcgencmd:
    """The display of a Raspberry Pi with the firmware's display driver.

    ``vcgencmd display_power [0|1]`` prints ``display_power=0|1``; with the kernel's driver (vc4-kms-v3d) it prints
    ``-1`` and does nothing (Raspberry Pi documentation, vcgencmd).
    """

    name = "vcgencmd"

    async def switch(self, on: bool) -> None:
        """Switch, then read."""
        await run("vcgencmd", "display_power", str(int(on)))
        state = (await run("vcgencmd", "display_power")).rpartition("=")[2].strip()
        if state == "-1":
            raise NotReady("vcgencmd: the kernel drives the display (vc4-kms-v3d): the firmware cannot switch it")
        check(self.name, on, {"the display": state}, "1")

    async def close(self) -> None:
        """Nothing was changed beside."""


def chosen(states: dict[str, str], output: str, name: str) -> dict[str, str]:
    """The states of the outputs that are meant.

    Raises:
        NotReady: there is none.
    """
    meant = {n: state for n, state in states.items() if output in ("*", n)}
    if not meant:
        there = ", ".join(states) or "none: is a monitor plugged in?"
        raise NotReady(f"{name}: there is no output{'' if output == '*' else f' {output!r}'}; there are {there}")
    return meant


def check(name: str, on: bool, states: dict[str, str], word: str) -> None:
    """See that all of them obeyed.

    Raises:
        NotReady: one did not.
    """
    if wrong := [f"{output} is {state!r}" for output, state in states.items() if (state == word) != on]:
        raise NotReady(f"{name}: switched {'on' if on else 'off'}, but {', '.join(wrong)}")
