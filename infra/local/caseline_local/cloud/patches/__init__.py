"""Every change made to moto. moto is pinned exactly; each function says why it exists, and each has a test that fails when moto changes."""

from __future__ import annotations

import functools

from caseline_local.cloud.patches import dynamodb, executions, messages, store


@functools.cache
def install() -> None:
    """Apply all patches, once for the process."""
    for module in (dynamodb, executions, messages, store):
        for patch in module.PATCHES:
            patch()
