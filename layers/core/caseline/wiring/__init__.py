"""The composition root: clients, adapters and settings of one execution environment, each made when first needed.

Nothing but the standard library is imported until then, so that the receive path pays for what it uses alone. Each module adds parts to those of the one
before it: clients, configured, services, receiving, judging, crms, working, serving.
"""

from __future__ import annotations

import os
from functools import cache

from caseline.wiring.serving import Serving


class Wiring(Serving):
    """All parts of the product."""


@cache
def wiring() -> Wiring:
    """The wiring of this execution environment."""
    return Wiring(os.environ)
