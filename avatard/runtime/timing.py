"""What the core adds to the options of every display: how late its sound is."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel, Field, create_model

from avatard.talk.lag import NONE, Lag


class Timing(BaseModel, frozen=True, extra="forbid"):
    """When a display's sound is really heard; ``avatard doctor`` measures it."""

    lead_in_ms: int = Field(
        0, ge=0, le=5000, description="silence before an answer that follows a quiet time, for amplifiers and links "
        "that swallow the beginning, milliseconds"
    )  # fmt: skip
    delay_ms: int = Field(
        0, ge=0, le=2000, description="how much later than the display says its sound is heard, milliseconds"
    )


@cache
def timed(schema: type[BaseModel]) -> type[BaseModel]:
    """A display's options and the core's as one."""
    about = {"__module__": schema.__module__, "__doc__": schema.__doc__}
    both: type[BaseModel] = create_model(schema.__name__, __base__=(schema, Timing), **about)  # type: ignore[call-overload]
    return both


def lag_of(options: BaseModel) -> Lag:
    """What a display's options say of it."""
    if not isinstance(options, Timing):
        return NONE
    return Lag(options.lead_in_ms / 1000, options.delay_ms / 1000)
