"""WP-CRM System in WordPress, by a small plugin of ours (infra/crm/wordpress/caseline.php): contacts, organizations, won opportunities, tasks as cases.

Login by an application password of a user with the role Caseline: the secret is `{"username", "password"}`. Webhooks are signed by the plugin, with the
newest of `webhook_secrets`. The plugin's routes are described by a mapping, as any other CRM's are. The door imports this module: nothing heavy at its top.
"""

from __future__ import annotations

from caseline.crm._adapter import opener
from caseline.crm._mapped._webhook import Hook
from caseline.crm.wordpress._settings import NAMES, read_settings

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm.wordpress._adapter:WordPress")
_hook = Hook(read_settings, NAMES)
verify, parse = _hook.verify, _hook.parse
