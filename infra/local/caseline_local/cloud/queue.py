"""One queue in memory: which message is visible, which is in flight until when, and whose turn it is."""

from __future__ import annotations

import heapq
import json
import secrets
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class Message:
    """`sent` and `first_received` are epoch milliseconds; `due` is when it becomes visible, in epoch seconds, 0 for at once."""

    id: str
    body: str
    attributes: dict[str, Any]
    group: str | None
    sent: int
    due: float
    number: int = 0
    receives: int = 0
    first_received: int | None = None
    origin: str | None = None
    receipt: str = ""

    def text(self, attribute: str) -> str | None:
        found = self.attributes.get(attribute)
        return found.get("StringValue") if found else None

    def receive(self, now: float) -> None:
        self.receives += 1
        self.first_received = self.first_received or int(now * 1000)
        self.receipt = f"{self.number}.{secrets.token_urlsafe(12)}"

    def system_attributes(self) -> dict[str, str]:
        found = {
            "ApproximateReceiveCount": str(self.receives),
            "SentTimestamp": str(self.sent),
            "SenderId": "local",
            "ApproximateFirstReceiveTimestamp": str(self.first_received or self.sent),
            "MessageGroupId": self.group,
            "DeadLetterQueueSourceArn": self.origin,
        }
        return {name: value for name, value in found.items() if value}


class Queue:
    """Not safe for threads by itself: its owner holds `lock` around every call."""

    def __init__(self, name: str, arn: str, lock: threading.RLock) -> None:
        self.name, self.arn = name, arn
        self.attributes: dict[str, str] = {}
        self.messages: dict[int, Message] = {}
        self.changed = threading.Condition(lock)
        self._visible: OrderedDict[str, deque[Message]] = OrderedDict()
        self._hidden: list[tuple[float, int]] = []

    def number(self, attribute: str, default: float) -> float:
        return float(self.attributes.get(attribute, default))

    def redrive(self) -> tuple[int, str]:
        """(receives allowed, dead-letter queue's ARN), or (0, "")."""
        policy = json.loads(self.attributes.get("RedrivePolicy") or "{}")
        return int(policy.get("maxReceiveCount", 0)), policy.get("deadLetterTargetArn", "")

    def counts(self) -> dict[str, int]:
        """Visible, in flight and delayed messages."""
        hidden = {number for _, number in self._hidden if number in self.messages and self.messages[number].due}
        delayed = sum(not self.messages[number].receipt for number in hidden)
        return {"visible": len(self.messages) - len(hidden), "in_flight": len(hidden) - delayed, "delayed": delayed}

    def add(self, message: Message, now: float) -> None:
        self.messages[message.number] = message
        if message.due > now:
            self.hide(message, message.due)
        else:
            self._show(message)

    def remove(self, message: Message) -> None:
        self.messages.pop(message.number, None)

    def hide(self, message: Message, until: float) -> None:
        message.due = until
        heapq.heappush(self._hidden, (until, message.number))
        self.changed.notify_all()

    def by_receipt(self, receipt: str) -> Message | None:
        """The message whose latest receipt this is."""
        number = receipt.split(".", 1)[0]
        message = self.messages.get(int(number)) if number.isdigit() else None
        return message if message and message.receipt == receipt else None

    def wake(self, now: float) -> None:
        """Shows what has become visible."""
        while self._hidden and self._hidden[0][0] <= now:
            due, number = heapq.heappop(self._hidden)
            message = self.messages.get(number)
            if message and message.due == due:
                self._show(message)

    def seconds_to_next(self, now: float) -> float:
        return max(self._hidden[0][0] - now, 0.001) if self._hidden else 3600.0

    def next_message(self) -> Message | None:
        """The oldest visible message of the group whose turn it is; then it is the next group's turn."""
        while self._visible:
            group, waiting = next(iter(self._visible.items()))
            message = waiting.popleft()
            if waiting:
                self._visible.move_to_end(group)
            else:
                del self._visible[group]
            if message.number in self.messages and message.due == 0:
                return message
        return None

    def _show(self, message: Message) -> None:
        message.due = 0.0
        self._visible.setdefault(message.group or "", deque()).append(message)
        self.changed.notify_all()
