"""What the sections of a policy are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Band = Literal["P1", "P2", "P3", "P4"]
BANDS: tuple[Band, ...] = ("P1", "P2", "P3", "P4")
Points = Annotated[int, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=36500)]
Minutes = Annotated[int, Field(ge=1)]


class Part(BaseModel):
    """A section of the policy: nothing in it changes, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
