"""Cases in SAP. It has no upsert, so the outbox's claim and the look-up of our key make a case once; it has no merge that leaves a trace."""

from __future__ import annotations

from caseline.crm import CaseRecord, Note, SavedCase
from caseline.crm._keeping import Keeper
from caseline.crm.sap._store import Store


class Cases:
    def __init__(self, store: Store) -> None:
        self._keeper = Keeper(store)

    def save(self, record: CaseRecord) -> SavedCase:
        """A case that is gone is looked for by its key, and made again."""
        return self._keeper.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        self._keeper.add_note(crm_id, Note(note_id, text))
