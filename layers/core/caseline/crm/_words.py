"""What a CRM's own values mean in Caseline's words, by the maps in its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from caseline.crm import CLOSED, OPEN
from caseline.crm._value import tier_of


class Words:
    """For settings that have these maps: a band to a priority, an owner to an id, the CRM's tiers to ours, and what its states are called."""

    tiers: Mapping[str, str]
    priorities: Mapping[str, str]
    owners: Mapping[str, str]

    @property
    def closed_words(self) -> Sequence[str]:
        """All states that mean closed."""
        raise NotImplementedError

    @property
    def pending_word(self) -> str:
        raise NotImplementedError

    def tier(self, value: str) -> str | None:
        """The CRM's value as one of TIERS; None where it is neither mapped nor one already."""
        return tier_of(value, self.tiers)

    def priority(self, band: str) -> str:
        return self.priorities.get(band, "")

    def band(self, priority: str) -> str | None:
        """The most urgent band that the priority stands for."""
        return next((band for band in sorted(self.priorities) if self.priorities[band] == priority), None)

    def status(self, state: str) -> str:
        """open, pending or closed; a state that is not known is open."""
        return CLOSED if state in self.closed_words else "pending" if state == self.pending_word else OPEN

    def owner(self, owner_id: str) -> str:
        """Caseline's word for whom a case is assigned to, or the CRM's id itself."""
        return next((name for name, known in self.owners.items() if known == owner_id), owner_id)

    def differences(self, priority: str, band: str, owner: str) -> dict[str, str]:
        """What a person set, though we wrote last: a priority that is not the one of our band, an owner whom we do not name."""
        meant = self.band(priority) if priority != self.priority(band) else None
        return {**({"band": meant} if meant else {}), **({"owner": owner} if owner and owner not in self.owners.values() else {})}
