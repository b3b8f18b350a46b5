"""Errors that say what happens next.

AvatardError
├─ ConfigError    the user must change something      exit 78; a ranking goes on with its next engine
├─ NotReady       not now: device, broker, server     retried after 1 … 60 s
├─ StageFailed    this turn is lost, the daemon is not
├─ Refused        a command that cannot be obeyed     its sender is told, nothing else changes
└─ OutOfMemory    no room was made                    step down the list, once more
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class AvatardError(Exception):
    """The root of every error that avatard raises on purpose."""


class ConfigError(AvatardError):
    """The user must change something before this can work."""


class NotReady(AvatardError):
    """It cannot be had now but may be later: a device, a broker, a server."""


class StageFailed(AvatardError):
    """A stage could not do its work; the turn is lost, the daemon is not."""

    def __init__(self, stage: str, plugin: str, reason: str = "") -> None:
        """Name the stage (``tts``), the plugin (``espeak``) and what went wrong."""
        self.stage = stage
        self.plugin = plugin
        self.reason = reason
        super().__init__(f"{stage} ({plugin}) failed" + (f": {reason}" if reason else ""))


class Refused(AvatardError):
    """A command that cannot be obeyed: no words in it, too long, or the queue is full."""


class OutOfMemory(AvatardError):
    """The governor could not make room for a model."""


@contextmanager
def unwrapped() -> Iterator[None]:
    """Let an error out by itself: a task group wraps whatever passes through it."""
    try:
        yield
    except BaseExceptionGroup as group:  # it is raised again, bare
        raise first_cause(group) from None


def first_cause(group: BaseException) -> BaseException:
    """The first plain exception inside nested groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
