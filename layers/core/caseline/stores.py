"""The stack's bucket and its queues of dead letters, as `caseline.outside` looks into them. `call(service, operation, **request)` asks AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from caseline.outside import Letter

Call = Callable[..., Any]
HIDDEN = 60  # seconds: longer than one request looks, so that it sees each letter once


@dataclass(frozen=True)
class Bucket:
    _call: Call
    name: str
    find: Callable[[str], bytes | None]

    def keys(self, prefix: str) -> Iterator[str]:
        more: dict[str, str] = {}
        while True:
            page = self._call("s3", "list_objects_v2", Bucket=self.name, Prefix=prefix, **more)
            yield from (str(each["Key"]) for each in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def read(self, key: str) -> bytes | None:
        return self.find(key)

    def write(self, key: str, body: bytes) -> None:
        self._call("s3", "put_object", Bucket=self.name, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self._call("s3", "delete_object", Bucket=self.name, Key=key)


@dataclass(frozen=True)
class DeadLetters:
    _call: Call
    queues: Sequence[str]
    hidden: int = HIDDEN

    def read(self) -> Iterator[Letter]:
        """A letter that is looked at is hidden for a while, then there again."""
        for queue in self.queues:
            while messages := self._call("sqs", "receive_message", QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=self.hidden).get("Messages"):
                yield from (Letter(queue, str(each["Body"]), str(each["ReceiptHandle"])) for each in messages)

    def delete(self, letter: Letter) -> None:
        self._call("sqs", "delete_message", QueueUrl=letter.queue, ReceiptHandle=letter.taken)
