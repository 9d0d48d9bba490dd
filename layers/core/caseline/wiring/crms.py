"""The CRM, and what goes between it and us."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from caseline.sources import Source
from caseline.wiring.judging import Judging

if TYPE_CHECKING:
    from caseline.crm import Crm
    from caseline.crm._pace import Pace
    from caseline.reconciling import Reconciler
    from caseline.syncing import CrmSync


class Crms(Judging):
    @property
    def crm(self) -> Crm:
        """The configured CRM; one that is reached over the network is guarded, so that all workers keep its limits together."""
        from caseline.crm import open_crm
        from caseline.crm._guard import GuardedCrm
        from caseline.crm._pace import read_pace

        chosen, key = self.config.crm, f"crm/{self.config.crm.name}"
        made_of, known = (chosen, self.secret(key) or {}), self._clients.get(key)
        if not known or known[0] != made_of:  # a new secret, or a change of settings, asks for a new adapter
            adapter = open_crm(chosen.name).create(settings=read_pace(chosen.settings)[1], secret=made_of[1], table=self.table, clock=self.clock)
            self._clients[key] = known = made_of, GuardedCrm(adapter, self.table, self.clock) if self.has_remote_crm else adapter
        crm: Crm = known[1]
        return crm

    @property
    def has_remote_crm(self) -> bool:
        """The built-in one stands in our own table: it needs no notes of what it can see, and tells of no changes."""
        from caseline.crm._pace import BUILTIN

        return self.config.crm.name != BUILTIN

    @property
    def crm_pace(self) -> Pace:
        from caseline.crm._pace import read_pace

        return read_pace(self.config.crm.settings)[0]

    @property
    def enrich_after(self) -> timedelta | None:
        """How long after a signal its customer's profile is written to the CRM; None for never."""
        minutes = self.crm_pace.enrich_minutes
        return timedelta(minutes=minutes) if self.has_remote_crm and minutes else None

    @property
    def crm_source(self) -> Source:
        """The CRM as the sender of its own webhooks; their secrets stand in its secret as `webhook_secrets`, newest first."""
        from caseline.crm._pace import read_pace

        chosen = self.config.crm
        known = self.secret(f"crm/{chosen.name}") or {}
        return Source(chosen.name, "", (), tuple(map(str, known.get("webhook_secrets") or ())), read_pace(chosen.settings)[1])

    @property
    def crm_sync(self) -> CrmSync:
        from caseline.cases.inbound import Inbound
        from caseline.syncing import CrmSync

        inbound = Inbound(self.table, self.config.crm.name, self.scopes, self.clock)
        return CrmSync(self.table, self.crm, inbound, self.clock, self.stack)

    @property
    def reconciler(self) -> Reconciler:
        from caseline.reconciling import Reconciler

        return Reconciler(self.table, self.crm, self.clock, self.stack)

    def ask_count(self) -> None:
        """By the queue: the count may take longer than a request may."""
        from caseline.reconciling import REQUEST

        self.send_changes(REQUEST)
