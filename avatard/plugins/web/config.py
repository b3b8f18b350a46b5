"""Options of the bridge ``web``."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, StringConstraints, model_validator

SHORTEST_TOKEN = 16
"""Characters"""

Origin = Annotated[str, StringConstraints(pattern=r"^(https?://)?[A-Za-z0-9.\-\[\]:]{1,253}$")]


class TalkConfig(BaseModel, frozen=True, extra="forbid"):
    """Places of their own for those who open ``/talk``."""

    enabled: bool = Field(True, description="whether a browser may talk in a place of its own")
    limit: int = Field(3, ge=1, le=20, description="how many may at once; each has a turn and a stream of its own")


class BridgeConfig(BaseModel, frozen=True, extra="forbid"):
    """Where the pages are served, to whom, and how."""

    host: str = Field("127.0.0.1", min_length=1, max_length=253, description="address to listen on; 0.0.0.0: all")
    port: int = Field(8585, ge=0, le=65535, description="0: any that is free")
    token: SecretStr | None = Field(None, description="best as !secret web_token; needed beyond this machine")
    sound: Literal["auto"] | bool = Field(
        "auto", description="whether the room's page sounds; auto: where no speaker or screen of the room does"
    )
    stream: Literal["auto", "canvas", "h264"] = Field(
        "auto", description="canvas: JPEG pictures, the quickest; h264: for slow networks; auto: canvas"
    )
    jpeg_quality: int = Field(85, ge=30, le=95, description="of the canvas stream's pictures")
    talk: TalkConfig = TalkConfig()
    control: bool = Field(True, description="whether there is a /control page")
    origins: tuple[Origin, ...] = Field(
        (), max_length=20, description="other names it is reached by, such as https://face.example.org"
    )
    embed: tuple[Origin, ...] = Field((), max_length=20, description="sites that may show the pages in a frame")

    @model_validator(mode="after")
    def _token(self) -> BridgeConfig:
        token = self.token.get_secret_value() if self.token is not None else None
        if token is not None and not re.fullmatch(rf"[\x21-\x7e]{{{SHORTEST_TOKEN},200}}", token):
            raise ValueError(f"token: {SHORTEST_TOKEN} to 200 letters, digits and signs without spaces are needed; "
                             "make one: openssl rand -hex 16")  # fmt: skip
        if token is None and not self.private:
            raise ValueError(
                f"host {self.host!r} can be reached from other machines: give a 'token' too (make one: openssl rand "
                "-hex 16, best as !secret web_token), or host 127.0.0.1"
            )
        return self

    @property
    def private(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


SCHEMAS: dict[str, type[BaseModel]] = {"bridge": BridgeConfig}
