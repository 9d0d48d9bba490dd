"""The settings of a CRM that is described by a mapping of the user's own."""

from caseline.crm._mapped._settings import Place, Settings, read_settings

__all__ = ["Place", "Settings", "read_settings"]
