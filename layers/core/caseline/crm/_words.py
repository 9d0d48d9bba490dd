"""What a CRM's own values mean in Caseline's words, by the maps in its settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from caseline.crm import CLOSED, OPEN
from caseline.crm._value import tier_of

PENDING = "pending"  # open, and waiting for the customer


def status_of(state: str, closed: Collection[str], pending: Collection[str]) -> str:
    """open, pending or closed; a state that is not known is open."""
    return CLOSED if state in closed else PENDING if state in pending else OPEN


class Words:
    """For settings that have these maps: the CRM's tiers to ours, a band to a priority, an owner to an id."""

    tiers: Mapping[str, str]
    priorities: Mapping[str, str]
    owners: Mapping[str, str]

    def tier(self, value: str) -> str | None:
        """The CRM's value as one of TIERS; None where it is neither mapped nor one already."""
        return tier_of(value, self.tiers)

    def priority(self, band: str) -> str:
        return self.priorities.get(band, "")

    def band(self, priority: str) -> str | None:
        """The most urgent band that the priority stands for."""
        return next((band for band in sorted(self.priorities) if self.priorities[band] == priority), None)

    def hand_band(self, priority: str, band: str) -> str | None:
        """The band of a priority that a person set; None where it is the one of our band, or none of ours."""
        return self.band(priority) if priority and priority != self.priority(band) else None

    def owner(self, owner_id: str) -> str:
        """Caseline's word for whom a case is assigned to, or the CRM's id itself."""
        return next((name for name, known in self.owners.items() if known == owner_id), owner_id)

    def differences(self, priority: str, band: str, owner: str) -> dict[str, str]:
        """What a person set, though we wrote last: a priority that is not the one of our band, an owner whom we do not name."""
        meant = self.hand_band(priority, band)
        return {**({"band": meant} if meant else {}), **({"owner": owner} if owner and owner not in self.owners.values() else {})}
