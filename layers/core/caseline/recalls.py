"""What a CRM shows of how somebody felt who is erased is blanked there.

Until it is, the row `PROFILE#<customer_id> / PROFILE` owes it, by the CRM's ids alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caseline.crm import Crm
from caseline.policy import Policy
from caseline.policy_parts.people import SIDES
from caseline.table import Item, Table

log = logging.getLogger(__name__)
OWED = "erase"


@dataclass(frozen=True)
class Recalls:
    table: Table
    crm: Crm
    policy: Policy

    def take_back(self, row: Item) -> Sequence[str]:
        """What remains there. CRM errors leave it owed."""
        place: Mapping[str, str] = row[OWED]
        names = [name for name in SIDES if name != "name" and self.policy.crm.is_ours(name)]
        remains = self.crm.erase_profile(place["contact_id"], place["account_id"], names)
        self.table.delete(str(row["PK"]), str(row["SK"]))
        for line in remains:
            log.warning("%s, of a contact that was erased: %s", self.crm.name, line)
        return remains


def owe(table: Table, row: Mapping[str, Any], contact_id: str, account_id: str, now: str) -> Item:
    """In place of the profile's row: the watcher takes back what stands on the contact, and on the account where it is of nobody else."""
    owed = {"PK": row["PK"], "SK": row["SK"], "type": "profile", "schema": 1, "due_shard": "due", "due_at": now}
    owed[OWED] = {"contact_id": contact_id, "account_id": account_id}
    table.put(owed)
    return owed
