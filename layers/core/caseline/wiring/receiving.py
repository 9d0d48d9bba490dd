"""The parts that take signals in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from caseline.wiring.services import Services

if TYPE_CHECKING:
    from caseline.completing import Completer
    from caseline.intake import Intake
    from caseline.polling import Poller


class Receiving(Services):
    @cached_property
    def intake(self) -> Intake:
        from caseline.intake import Intake

        return Intake(self.send_signals, self.put_object)

    @property
    def poller(self) -> Poller:
        from caseline.polling import Poller

        return Poller(self.config, self.table, self.intake, self.source, self.open_session, self.clock, self.new_id, self.stack)

    def open_session(self, channel: Any) -> Any:
        """An HTTP session that reaches the channel's hosts alone."""
        from caseline.outbound import Session

        return Session(getattr(channel, "HOSTS", ()), self.clock)

    @property
    def completer(self) -> Completer:
        from caseline.completing import Completer

        def open_session(channel: Any) -> Any:
            session = self.open_session(channel)
            session.read = self.read_from  # pointers may name objects
            return session

        return Completer(self.table, self.source, open_session, self.requeue, self.ask_completion, self.clock, self.stack)

    def requeue(self, envelope: Mapping[str, Any]) -> None:
        from caseline.intake import send_again

        send_again(envelope, self.send_signals)

    def queue_signal(self, signal: Any, brand: str) -> None:
        """Take in what Caseline itself found out (an abandoned cart, a customer at risk), as if a platform had sent it."""
        from caseline.intake import Envelope
        from caseline.metrics import emit

        envelope = Envelope(self.new_id(), signal.channel, signal.source, brand, "asserted", signal.received_at, "poll")
        self.intake.accept(envelope, [signal])
        emit({"Accepted": 1}, f"{signal.channel}/{signal.source}", signal.received_at, self.stack)
