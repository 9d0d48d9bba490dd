"""Django settings of the BottleCRM under test; runs in its own environment, not in ours.

The schema is made from the models: 253 migrations take minutes. Where CASELINE_CLOCK names a file, its time is the CRM's, so that tests can let it pass.
"""

import os
from datetime import datetime
from pathlib import Path

from crm.settings import *  # noqa: F403
from crm.settings import DATABASES, INSTALLED_APPS
from django.utils import timezone

MIGRATION_MODULES = {app.split(".")[-1]: None for app in INSTALLED_APPS}
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES["default"]["CONN_MAX_AGE"] = None
CLOCK = os.environ.get("CASELINE_CLOCK", "")
_now = timezone.now


def _told() -> datetime:
    try:
        return datetime.fromisoformat(Path(CLOCK).read_text())
    except (OSError, ValueError):
        return _now()


if CLOCK:
    timezone.now = _told
