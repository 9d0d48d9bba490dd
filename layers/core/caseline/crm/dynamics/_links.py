"""Links that Dataverse gives for the next page or the next changes: they are followed on its own host only."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from caseline.crm.dynamics._api import Api
from caseline.errors import CrmUnavailableError


def below(api: Api, link: Any) -> str:
    """The path and query below the versioned root. CrmUnavailableError for an address elsewhere."""
    parts = urlsplit(str(link))
    elsewhere = parts.netloc and f"{parts.scheme}://{parts.netloc}".lower() != api.base_url.lower()
    if elsewhere or not parts.path.startswith(f"{api.root}/"):
        raise CrmUnavailableError("Dynamics named an address outside its host")
    return parts.path.removeprefix(api.root) + (f"?{parts.query}" if parts.query else "")
