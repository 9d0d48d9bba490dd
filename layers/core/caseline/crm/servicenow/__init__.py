"""ServiceNow Customer Service Management over its Table and Batch APIs: account value, cases by correlation id, work notes, profiles, what people do there.

Login by OAuth (client credentials, or the password grant) or Basic. The settings are in `_settings`; what an admin sets up, the fields and the business
rules among it, is in infra/crm/servicenow/README.md. ServiceNow signs no webhooks: a secret of ours in the URL (`?token=`) or as the password of Basic
credentials proves them.
"""

from caseline.crm._adapter import opener
from caseline.crm.servicenow._pushed import parse, verify

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm.servicenow._client:ServiceNow")
