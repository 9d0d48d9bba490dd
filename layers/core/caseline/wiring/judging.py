"""The parts that judge signals: analyser, the tenant's own model, recorder."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from caseline.errors import UnavailableError, UnfitModelError
from caseline.wiring.clients import Cached
from caseline.wiring.receiving import Receiving

if TYPE_CHECKING:
    from caseline.assessment import Analyser
    from caseline.assessment.learned import Learned
    from caseline.assessment.rules import Rules
    from caseline.recording import Recorder
    from caseline.runs import Runs

MODEL_SECONDS = 300  # until another model of the tenant counts everywhere
ERASURE_SECONDS = 1  # shorter than an erasure waits before it empties what it finds


class Judging(Receiving):
    @property
    def analyser(self) -> Analyser:
        return self._open_analyser(self.config.analysis.name)

    def _open_analyser(self, name: str) -> Analyser:
        """Made anew when the policy's categories or the tenant's model change."""
        from caseline.assessment import open_analyser

        known, rules = self._clients.get(f"analyser/{name}"), self.rules
        if known is None or known[0] is not rules:
            client = self.client("comprehend") if name == "comprehend" else None
            opened = open_analyser(name, client=client, settings=self.config.analysis.settings, rules=rules, learned=rules.learned)
            known = self._clients[f"analyser/{name}"] = (rules, opened)
        analyser: Analyser = known[1]
        return analyser

    @property
    def rules(self) -> Rules:
        from caseline.assessment.rules import rules_for

        return rules_for(self.policy.categories, self.learned if self.config.analysis.settings.get("adapt", True) else None)

    @property
    def learned(self) -> Learned | None:
        """The tenant's own model, None where there is none or it cannot be read: then the shipped one judges."""
        with suppress(UnavailableError):
            learned: Learned | None = self._fresh("learned", MODEL_SECONDS, self._read_learned)
            return learned
        self._cache["learned"] = Cached(None, self.seconds())
        return None

    def _read_learned(self) -> Learned | None:
        from caseline.model_shelf import Shelf

        known = self._cache.get("learned")
        if not self.environ.get("BUCKET_NAME"):
            return None
        try:
            return Shelf(self._find_model, self._refuse_to_write).current(known.value if known else None)
        except UnfitModelError as error:
            import logging

            logging.getLogger(__name__).error("the tenant's model is refused and the shipped one judges: %s", error)
            return None

    @staticmethod
    def _refuse_to_write(object_key: str, body: bytes) -> None:
        raise UnavailableError(f"functions only read models, and {object_key} is one")

    def _find_model(self, object_key: str) -> bytes | None:
        """Functions that only read models may not list."""
        return self.find_object(object_key, ("NoSuchKey", "AccessDenied", "404", "403"))

    @property
    def recorder(self) -> Recorder:
        """Made once; the policy and the models it judges by are the newest."""
        from caseline.recording import Recorder

        if "recorder" not in self._clients:
            self._clients["recorder"] = Recorder(
                self.table, self.analyser, self.policy, self.scope_of, self.requeue, self.clock, None, self.ask_completion, self.cart_notes,
                erasure=self._last_erasure,
            )
        recorder: Recorder = self._clients["recorder"]
        recorder.policy, recorder.analyser, recorder.rules = self.policy, self.analyser, self.rules
        recorder.fallback = self._open_analyser("embedded") if self.config.analysis.name != "embedded" else None
        return recorder

    def _last_erasure(self) -> str:
        from caseline.tombstones import last_erasure

        return str(self._fresh("erasure", ERASURE_SECONDS, lambda: last_erasure(self.table)))

    @property
    def cart_notes(self) -> Any:
        from caseline.abandonment import PATIENCE, CartNotes

        def patience_of(channel: str, name: str) -> timedelta:
            known = self.config.source(channel, name)
            minutes = known.settings.get("abandoned_after_minutes") if known else None
            return timedelta(minutes=minutes) if isinstance(minutes, int | float) and 0 < minutes < 100_000 else PATIENCE

        return CartNotes(self.table, patience_of)

    @cached_property
    def runs(self) -> Runs:
        from caseline.runs import Runs

        return Runs(self.table, self.start_execution, self.clock)
