"""The parts that make cases and look after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caseline.wiring.crms import Crms

if TYPE_CHECKING:
    from caseline.cases.lookup import AccountLookUp
    from caseline.cases.outbox import Outbox
    from caseline.cases.prioritise import Prioritiser
    from caseline.cases.save import CaseSaver
    from caseline.retention import Retention
    from caseline.watching import Watcher


class Working(Crms):
    @property
    def account_look_up(self) -> AccountLookUp:
        from caseline.cases.lookup import AccountLookUp

        if not self.has_remote_crm:
            return AccountLookUp(self.table, self.crm, self.runs, self.clock)
        return AccountLookUp(self.table, self.crm, self.runs, self.clock, self.crm_pace.fresh, listens=True)

    @property
    def prioritiser(self) -> Prioritiser:
        from caseline.cases.prioritise import Prioritiser

        return Prioritiser(self.table, self.config.crm.name, self.policy, self.runs, self.clock, self.case_url)

    @property
    def case_saver(self) -> CaseSaver:
        from caseline.cases.save import CaseSaver

        return CaseSaver(self.outbox, self.runs)

    @property
    def outbox(self) -> Outbox:
        from caseline.cases.outbox import Outbox

        if not self.has_remote_crm:
            return Outbox(self.table, self.crm, self.clock, self.case_url)
        from caseline.cases.newcomers import Newcomers

        newcomers = Newcomers(self.table, self.crm, self.policy, self.clock)
        return Outbox(self.table, self.crm, self.clock, self.case_url, self.crm_pace.patience, takes_notes=True, newcomers=newcomers)

    @property
    def watcher(self) -> Watcher:
        from caseline.abandonment import CartWatch
        from caseline.finds import Finder
        from caseline.profiles import ProfileWriter
        from caseline.storms.incidents import Incidents
        from caseline.watching import Watcher

        profiles = ProfileWriter(self.table, self.crm, self.policy, self.clock, bool(self.enrich_after)) if self.has_remote_crm else None
        incidents = Incidents(self.table, self.policy, self.runs, self.clock, self.account_look_up)
        carts = CartWatch(self.table, self.queue_signal, self.clock)
        finder = Finder(self.table, self.policy, self.queue_signal, self.clock, self.account_look_up)
        return Watcher(self.table, self.runs, self.outbox, self.clock, carts, profiles, incidents, finder)

    @property
    def retention(self) -> Retention:
        from caseline.retention import Retention

        return Retention(self.table, self.policy, self.clock, not self.has_remote_crm)
