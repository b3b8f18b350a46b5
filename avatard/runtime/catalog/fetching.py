"""Fetching one file: resumed where it stopped, from one source after the other, within bounds, checked at the end."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from avatard.runtime.catalog.part import Part, PullFailed, Sender
from avatard.runtime.catalog.web import Answer, SourceFailed, opened

PIECE = 1 << 16
"""Bytes read at a time."""
GAIN = 1 << 16
"""Bytes that a try must have brought for the source to count as good again."""
RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Teller(Protocol):
    """Who is told how far it is."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def progress(self, file: str, done: int, total: int | None) -> None:
        """Bytes of a file."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source is borne with."""

    stall: float = 30.0
    """Seconds without a byte."""
    tries: int = 5
    """In a row that brought nothing much."""
    pause: float = 1.0
    """Seconds before the second; then twice as long each time, at most 30."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file that is to be had."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None
    """None: what the source declares, or else what comes."""
    size: int | None
    """Bytes, exact."""
    most: int
    """Bytes at most."""
    says: str = "the catalogue"
    """Who says what the checksum is."""


def fetch(wanted: Wanted, part: Part, tell: Teller, patience: Patience) -> None:
    """Get the file into ``part``, whole and with the right checksum where one is known.

    Raises:
        PullFailed: no source gave it; names each and why.
    """
    reasons = []
    for url in wanted.urls:
        try:
            _from(url, wanted, part, tell, patience)
            return
        except SourceFailed as err:
            reasons.append(f"{urlsplit(url).hostname}: {err}")
            tell.note(f"{wanted.name}: {reasons[-1]}")
    raise PullFailed(f"{wanted.name} could not be had. " + "; ".join(reasons))


def _from(url: str, wanted: Wanted, part: Part, tell: Teller, patience: Patience) -> None:
    """From one source, again and again as long as that brings it on."""
    failures, resumed, furthest = 0, False, part.size
    for _ in range(200):
        resumed = resumed or part.size > 0
        try:
            with part:
                if not (part.whole and (wanted.sha256 is not None or part.sender.url == url)):
                    _once(url, wanted, part, tell, patience)
                _check(wanted, part)
            return
        except _WrongSum as err:
            part.remove()
            if not resumed:
                raise SourceFailed(str(err), final=True) from err
            # What was there before may have been the wrong half: once more, from the beginning.
            resumed, failures = False, failures + 1
        except SourceFailed as err:
            failures = 0 if part.size - furthest >= GAIN else failures + 1
            furthest = max(furthest, part.size)
            if err.final or failures >= patience.tries:
                raise
            tell.note(f"{wanted.name}: {urlsplit(url).hostname}: {err}; once more from byte {part.size}")
            time.sleep(min(30.0, patience.pause * 2 ** max(0, failures - 1)))
    raise SourceFailed("broke off 200 times", final=True)


class _WrongSum(Exception):
    """The file is not the one that was meant."""


def _check(wanted: Wanted, part: Part) -> None:
    expected = wanted.sha256 or part.sender.declared
    if expected is not None and (found := part.sha256()) != expected:
        says = wanted.says if wanted.sha256 is not None else "the source itself"
        raise _WrongSum(f"another file came: its SHA-256 is {found[:12]}…; {says} says {expected[:12]}…")


def _once(url: str, wanted: Wanted, part: Part, tell: Teller, patience: Patience) -> None:
    """One request, read to its end."""
    headers = _resuming(url, wanted, part)
    with opened(url, headers, patience.stall) as answer:
        match answer.status:
            case 206 if headers:
                _go_on(answer, part)
            case 200:
                sender = _sender(url, answer)
                _check_size(wanted, sender, answer)
                part.begin(sender)
            case 416:
                part.begin(Sender(url))
                raise SourceFailed("has not as much as we have of it")
            case 408 | 425 | 429 | 500 | 502 | 503 | 504:
                raise SourceFailed(f"answers {answer.status}")
            case status:
                raise SourceFailed(f"answers {status}", final=True)
        _read(answer, wanted, part, tell)


def _resuming(url: str, wanted: Wanted, part: Part) -> dict[str, str]:
    """The headers with which a source goes on where it stopped, but only with the same file."""
    sender = part.sender
    if not part.size or part.whole:
        return {}
    same = sender.url == url
    if same and sender.etag:
        return {"Range": f"bytes={part.size}-", "If-Range": sender.etag}
    if wanted.sha256 is not None or (same and sender.declared is not None):
        return {"Range": f"bytes={part.size}-"}  # the checksum tells at the end
    return {}


def _go_on(answer: Answer, part: Part) -> None:
    found = RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if found is None or int(found[1]) != part.size or (part.sender.total or int(found[3])) != int(found[3]):
        part.begin(part.sender)
        raise SourceFailed(f"goes on elsewhere than asked ({answer.headers.get('Content-Range')})")


def _sender(url: str, answer: Answer) -> Sender:
    etag = answer.headers.get("ETag", "").strip()
    length = answer.headers.get("Content-Length", "")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise SourceFailed("sends it packed, which was not asked for", final=True)
    return Sender(
        url, etag if etag.startswith('"') else "", answer.headers.get("Last-Modified", ""),
        int(length) if length.isdecimal() else None, answer.declared,
    )  # fmt: skip


def _check_size(wanted: Wanted, sender: Sender, answer: Answer) -> None:
    if sender.total is None:
        ends = answer.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if not ends and wanted.size is None and wanted.sha256 is None and sender.declared is None:
            raise SourceFailed("does not say how large it is: its end could not be told from a cut", final=True)
    elif wanted.size not in (None, sender.total):
        raise SourceFailed(f"says it has {sender.total} bytes; the catalogue says {wanted.size}", final=True)
    elif sender.total > wanted.most:
        raise SourceFailed(f"says it has {sender.total} bytes; at most {wanted.most} are expected", final=True)
    elif sender.total == 0:
        raise SourceFailed("says it is empty", final=True)


def _read(answer: Answer, wanted: Wanted, part: Part, tell: Teller) -> None:
    total = part.sender.total or wanted.size
    while data := answer.read(PIECE):
        if part.size + len(data) > (total or wanted.most):
            part.begin(part.sender)
            raise SourceFailed(f"sends more than {total or wanted.most} bytes", final=True)
        part.add(data)
        tell.progress(wanted.name, part.size, total)
    if total is not None and part.size < total:
        raise SourceFailed(f"broke off after {part.size} of {total} bytes")
    if part.size == 0:
        raise SourceFailed("sends nothing", final=True)
