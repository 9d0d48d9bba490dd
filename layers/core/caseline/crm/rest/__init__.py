"""Any other CRM or in-house system with an HTTP API, described by a mapping in config.yaml instead of code.

`crm.mapping` says how to log in, which requests there are and what their answers mean; `_mapping` has its parts, infra/crm/rest/README.md tells how to
write one, with a whole example. Values go into a request by placeholders, which can only ever be values; answers are read by JMESPath. The secret
`<prefix>/crm/rest` has what the kind of login needs, and `webhook_secrets`. The door imports this module: nothing heavy at its top.
"""

from __future__ import annotations

from caseline.crm._adapter import opener
from caseline.crm._mapped._settings import Place, read_settings
from caseline.crm._mapped._webhook import Hook

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm._mapped._adapter:Rest")
_hook = Hook(read_settings, (*Place.__dataclass_fields__, "mapping"))
verify, parse = _hook.verify, _hook.parse
