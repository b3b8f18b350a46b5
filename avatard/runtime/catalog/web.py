"""One request over HTTP: redirects that never leave https, and what the source says of the file."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from urllib.error import URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from avatard import __version__

MOST_REDIRECTS = 6
MOVED = (301, 302, 303, 307, 308)
SHA256 = re.compile(r'(?:W/)?"?([0-9a-f]{64})"?')


class SourceFailed(Exception):
    """A source did not give the file."""

    def __init__(self, reason: str, final: bool = False) -> None:
        """Say why; ``final``: asking the same source again makes no sense."""
        self.final = final
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, after all redirects."""

    status: int
    headers: Message
    declared: str | None
    """The SHA-256 that the source says the file has."""
    body: HTTPResponse

    def read(self, size: int) -> bytes:
        """Some bytes, as soon as there are any; empty at the end.

        Raises:
            SourceFailed: the connection broke, or nothing came for too long.
        """
        with failures():
            return self.body.read1(size)


@contextmanager
def failures() -> Iterator[None]:
    """Turn what a connection can raise into SourceFailed."""
    try:
        yield
    except TimeoutError as err:
        raise SourceFailed("nothing came for too long") from err
    except URLError as err:
        if isinstance(err.reason, TimeoutError):
            raise SourceFailed("nothing came for too long") from err
        if isinstance(err.reason, socket.gaierror):
            raise SourceFailed("its name cannot be found: is there a network?") from err
        raise SourceFailed(str(err.reason)) from err
    except (HTTPException, OSError, ValueError) as err:
        raise SourceFailed(f"the connection broke ({str(err) or type(err).__name__})") from err


@contextmanager
def opened(url: str, headers: dict[str, str], stall: float) -> Iterator[Answer]:
    """Ask for a file and follow redirects.

    Args:
        url: https, or http of a mirror that the user set up.
        headers: of the request.
        stall: seconds without a byte after which it is given up.

    Raises:
        SourceFailed: it cannot be reached, or sends us where we do not go.
    """
    director = OpenerDirector()  # no handler for files, FTP or data, and none that follows redirects
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
        director.add_handler(handler)
    director.addheaders = [("User-Agent", f"avatard/{__version__}"), ("Accept-Encoding", "identity")]
    declared: str | None = None
    for _ in range(MOST_REDIRECTS):
        with failures():
            body: HTTPResponse = director.open(Request(url, headers=headers), timeout=stall)
        with body:
            declared = declared or declared_in(body.headers)
            where = body.headers.get("Location")
            if body.status not in MOVED or where is None:
                yield Answer(body.status, body.headers, declared, body)
                return
        url = redirected(url, where)
    raise SourceFailed(f"sends us on more than {MOST_REDIRECTS} times", final=True)


def redirected(url: str, where: str) -> str:
    """The next address: from https only to https, from http to either; nothing else.

    Raises:
        SourceFailed: it leads elsewhere.
    """
    try:
        target = urljoin(url, where)
        parts = urlsplit(target)
    except ValueError as err:
        raise SourceFailed(f"sends us to {where!r}, which is no address", final=True) from err
    allowed = ("https",) if urlsplit(url).scheme == "https" else ("https", "http")
    if parts.scheme not in allowed or not parts.hostname:
        raise SourceFailed(f"sends us to {target!r}: only https is followed", final=True)
    return target


def declared_in(headers: Message) -> str | None:
    """The SHA-256 that Hugging Face states of a large file; other servers' ETags mean nothing of the kind."""
    told = headers.get("X-Linked-Etag") or (headers.get("ETag") if headers.get("X-Repo-Commit") else None)
    found = SHA256.fullmatch(told.strip()) if told else None
    return found[1] if found else None
