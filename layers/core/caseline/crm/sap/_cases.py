"""Cases in SAP. It has no upsert, so the outbox's claim and the look-up of our key make a case once; it has no merge that leaves a trace."""

from __future__ import annotations

from collections.abc import Sequence

from caseline.crm import CaseRecord, Note, SavedCase
from caseline.crm._keeping import FieldKeeper
from caseline.crm._marks import join_notes
from caseline.crm.sap._errors import StaleError
from caseline.crm.sap._store import Store


class Cases:
    def __init__(self, store: Store) -> None:
        self._store, self._keeper = store, FieldKeeper(store)

    def save(self, record: CaseRecord) -> SavedCase:
        """A case that is gone is looked for by its key, and made again."""
        return self._add_news(record) or self._keeper.save(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        self._keeper.add_note(crm_id, Note(note_id, text))

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        return self._keeper.erase_notes(crm_id, subject)

    def _add_news(self, record: CaseRecord) -> SavedCase | None:
        """Notes that nobody has to look for: what SAP showed us last is the version we know of, and the write is refused if it shows another by now."""
        if not record.notes or record.moved or not self._store.is_known(record.crm_id, record.saved_version):
            return None
        try:
            updated = self._store.write(record.crm_id, self._store.ours(record), record.notes, None if record.told is None else join_notes(record.told))
        except StaleError:
            return None
        return SavedCase(updated.crm_id, updated.number, self._store.link(updated), False, updated.status, updated.field) if updated else None
