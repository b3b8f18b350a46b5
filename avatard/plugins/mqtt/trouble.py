"""Certificates, and what went wrong with a connection in words that help."""

from __future__ import annotations

import logging
import ssl
from typing import Any

from avatard.api.errors import ConfigError
from avatard.api.news import News, Problem
from avatard.plugins.mqtt.config import Tls


class Trouble:
    """What is wrong with one broker, told once until it is another matter or has passed."""

    def __init__(self, where: str, news: News, logger: logging.Logger) -> None:
        """Nothing is wrong yet with the broker at ``where``."""
        self._where, self._news, self._logger = where, news, logger
        self._told = ""

    def tell(self, what: str) -> None:
        """This is wrong now."""
        if what != self._told:
            self._told = what
            self._logger.warning("%s: %s", self._where, what)
            self._news.publish(Problem("mqtt", f"{self._where}: {what}"))

    def over(self) -> None:
        """All is well."""
        self._told = ""
        self._news.publish(Problem("mqtt", "", over=True))


def tls_context(tls: Tls | None) -> ssl.SSLContext | None:
    """What the configuration says of TLS; None where there is none.

    Raises:
        ConfigError: a file cannot be read or is no certificate.
    """
    if tls is None:
        return None
    try:
        context = ssl.create_default_context(cafile=str(tls.ca) if tls.ca else None)
    except (OSError, ssl.SSLError) as err:
        raise ConfigError(f"mqtt: tls: ca: {tls.ca}: {err.strerror or err}; give the CA's PEM file") from err
    context.check_hostname = tls.check_name
    if tls.certificate is not None and tls.key is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.key)
        except (OSError, ssl.SSLError) as err:
            raise ConfigError(
                f"mqtt: tls: certificate, key: {tls.certificate}, {tls.key}: {err.strerror or err}; "
                "give PEM files that belong together"
            ) from err
    return context


def reason(err: BaseException | None) -> Any:
    """The broker's reason code, which may stand in the cause; None where it gave none."""
    while err is not None:
        if (code := getattr(err, "rc", None)) is not None:
            return getattr(code, "value", code)
        err = err.__cause__
    return None


def explained(err: Exception, code: Any, tls: bool) -> str:
    """What went wrong and what to do about it; never what was sent."""
    if isinstance(err, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(err):
        return f"the broker's certificate is not accepted: {err}; see 'tls: ca:'"
    if code in (4, 134):
        return "wrong user name or password; see 'username:' and 'password:'"
    if code in (5, 135):
        return "not authorised; does the broker know this user, and want a certificate or a password?"
    what = str(err) or type(err).__name__
    if isinstance(err, ConnectionResetError) or "timed out" in what or "WRONG_VERSION" in what:
        what += "; does this port speak TLS, as 'tls:' says?" if tls else "; does this port want TLS? see 'tls:'"
    return f"{what}; trying again"
