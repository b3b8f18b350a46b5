"""Who may come in: the name it is called by, the page that calls, and the token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
import time

import psutil

from avatard.api.allowance import Allowance
from avatard.plugins.web.config import BridgeConfig

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HOST = re.compile(r"(https?://)?(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
FRESH = 60.0
"""Seconds for which the machine's own addresses are remembered."""
WRONG_BURST, WRONG_PER_SECOND = 5, 0.1
"""Wrong tokens that an address may give at once, and how soon it may try again."""
ALL_BURST, ALL_PER_SECOND = 50, 1.0
"""The same for all addresses together."""
REMEMBERED = 1000
"""Addresses that gave wrong tokens lately."""


class Guard:
    """Judges requests; keeps no secret but a keyed hash of the token."""

    def __init__(self, config: BridgeConfig, id: str) -> None:
        """Guard pages with this configuration; ``id`` names the cookie, so that two daemons on a machine have two."""
        self.cookie_name = f"avatard_{id}"
        self._private, self._host = config.private, config.host.strip("[]").lower()
        if self._host in ("0.0.0.0", "::"):
            self._host = ""
        self._names = frozenset(_name(origin) for origin in config.origins)
        self._origins = frozenset(origin.lower() for origin in config.origins)
        token = config.token.get_secret_value() if config.token is not None else None
        self.open = token is None
        """Whether everybody on this machine may come in."""
        self._token = (token or "").encode()
        self.cookie = hmac.new(self._token, b"avatard cookie", hashlib.sha256).hexdigest()
        """What a browser is given instead of the token: another token makes it worthless."""
        self._wrong: dict[str, Allowance] = {}
        self._all_wrong = Allowance(ALL_PER_SECOND, ALL_BURST)
        self._own: tuple[float, frozenset[str]] = (-FRESH, frozenset())

    def called_by_name(self, host: str) -> bool:
        """Whether a Host header names this machine: a page elsewhere may have its own name lead here."""
        name = _name(host)
        if not name:
            return False
        if name in LOOPBACK or name in self._names or name == self._host:
            return True
        return not self._private and name in self._names_of_the_box()

    def from_here(self, origin: str | None, host: str) -> bool:
        """Whether the page that calls is one of ours; programs that are no browsers name none."""
        if origin is None:
            return True
        origin = origin.lower()
        if origin in self._origins or origin.partition("://")[2] in self._origins:
            return True
        scheme, _, rest = origin.partition("://")
        return scheme in ("http", "https") and rest == host.lower()

    def knows_cookie(self, value: str | None) -> bool:
        """Whether a browser has logged in."""
        return self.open or hmac.compare_digest((value or "").encode(errors="replace"), self.cookie.encode())

    def may_try(self, address: str) -> bool:
        """Whether another token may be tried from there."""
        allowance = self._wrong.get(address)
        return (allowance is None or allowance.any) and self._all_wrong.any

    def knows_token(self, token: str, address: str) -> bool:
        """Whether it is the token; a wrong one is counted."""
        if self.open or hmac.compare_digest(token.encode(errors="replace"), self._token):
            return True
        if len(self._wrong) >= REMEMBERED:
            self._wrong = {a: w for a, w in self._wrong.items() if not w.full}
        if address not in self._wrong and len(self._wrong) < REMEMBERED:
            self._wrong[address] = Allowance(WRONG_PER_SECOND, WRONG_BURST)
        if address in self._wrong:
            self._wrong[address].take()
        self._all_wrong.take()
        return False

    def _names_of_the_box(self) -> frozenset[str]:
        now = time.monotonic()
        if now - self._own[0] >= FRESH:
            self._own = now, names_of_the_box()
        return self._own[1]


def names_of_the_box() -> frozenset[str]:
    """The names and addresses by which others may call this machine."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    addresses = {
        one.address.partition("%")[0].lower() for of_one in psutil.net_if_addrs().values() for one in of_one
        if one.family in (socket.AF_INET, socket.AF_INET6)
    }  # fmt: skip
    return frozenset({name, short, f"{short}.local", f"{short}.lan", f"{short}.home", *addresses})


def _name(host: str) -> str:
    """The name in ``name:port``, ``[::1]:port`` or ``https://name``, lower case; empty where it is none."""
    found = HOST.fullmatch(host.lower())
    if found is None:
        return ""
    name = found["name"].strip("[]").rstrip(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
