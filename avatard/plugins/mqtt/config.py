"""Options of the bridge ``mqtt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, model_validator

TOPIC = r"[^$/+#\x00-\x1f]([^+#\x00-\x1f]*[^/+#\x00-\x1f])?"
"""Neither a wildcard nor the broker's own, no slash before or after it."""


class Tls(BaseModel, frozen=True, extra="forbid"):
    """How the broker proves who it is, and we to it."""

    ca: Path | None = Field(None, description="authority that signed the broker's certificate; default: the system's")
    certificate: Path | None = Field(None, description="our own certificate, where the broker asks for one")
    key: Path | None = Field(None, description="the private key that belongs to our certificate")
    check_name: bool = Field(True, description="whether the broker's certificate must name its host")

    @model_validator(mode="after")
    def _pair(self) -> Tls:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: give both, or none")
        return self


def _switched(value: Any) -> Any:
    """``true`` is TLS as the system knows it."""
    if isinstance(value, bool):
        return Tls() if value else None
    if isinstance(value, dict | Tls):
        return value
    raise ValueError("true, false, or a mapping of ca, certificate, key, check_name is needed")


class BridgeConfig(BaseModel, frozen=True, extra="forbid"):
    """Where the broker is, and what is told to it."""

    host: str = Field("localhost", min_length=1, max_length=253, description="the broker's name or address")
    port: int | None = Field(None, ge=1, le=65535, description="default 1883, with TLS 8883")
    transport: Literal["tcp", "websockets"] = Field("tcp", description="plain TCP, or WebSocket")
    path: str = Field("/mqtt", pattern=r"^/", description="path of the WebSocket")
    tls: Annotated[Tls | None, BeforeValidator(_switched, json_schema_input_type=bool | Tls)] = Field(
        None, description="true, or a mapping of ca, certificate, key, check_name"
    )
    username: str | None = Field(None, max_length=200, description="where the broker asks for one")
    password: SecretStr | None = Field(None, description="best as !secret mqtt_password")
    client_id: str = Field("", max_length=100, description="must be unique at the broker; default: made up")
    protocol: Literal["auto", "5", "3.1.1"] = Field("auto", description="auto: 5, and 3.1.1 where that is refused")
    keepalive: int = Field(30, ge=4, le=600, description="a broker silent for 1.4 times so long is given up, seconds")
    base_topic: str = Field("", pattern=rf"^({TOPIC})?$", max_length=100, description="default: avatard/<id>")
    discovery: bool = Field(True, description="whether Home Assistant finds the device by itself")
    discovery_prefix: str = Field("homeassistant", pattern=rf"^{TOPIC}$", description="as in Home Assistant")
    queue: int = Field(200, ge=1, le=10_000, description="events kept while the broker is away; the oldest go first")
    commands_per_second: float = Field(20, gt=0, le=1000, description="more are refused, after a burst of 50")

    @model_validator(mode="after")
    def _login(self) -> BridgeConfig:
        if self.password is not None and self.username is None:
            raise ValueError("a password needs a username")
        return self


SCHEMAS: dict[str, type[BaseModel]] = {"bridge": BridgeConfig}
