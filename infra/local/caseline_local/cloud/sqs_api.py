"""The SQS JSON protocol over our queues. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from caseline_local.cloud.limits import MAXIMUM_MESSAGE_BYTES, message_fault, message_size
from caseline_local.cloud.queue import Message, Queue
from caseline_local.cloud.queues import Queues

Body = dict[str, Any]
_NO_QUEUE = "The specified queue does not exist."


class SqsError(Exception):
    def __init__(self, code: str, message: str, legacy: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.legacy = code, message, legacy or code


class SqsApi:
    def __init__(self, queues: Queues, endpoint: Callable[[], str], account: str) -> None:
        self._queues, self._endpoint, self._account = queues, endpoint, account

    def answer(self, action: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of one call."""
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        try:
            operation = _OPERATIONS.get(action)
            if operation is None:
                raise SqsError("InvalidAction", f"{action} is not available here")
            return 200, headers, json.dumps(operation(self, json.loads(body or b"{}"))).encode()
        except SqsError as error:
            fault = {"__type": f"com.amazonaws.sqs#{error.code}", "message": error.message}
            return 400, headers | {"x-amzn-query-error": f"{error.legacy};Sender"}, json.dumps(fault).encode()

    def create_queue(self, body: Body) -> Body:
        queue = self._queues.create(body["QueueName"], body.get("Attributes"))
        return {"QueueUrl": self._url(queue)}

    def get_queue_url(self, body: Body) -> Body:
        return {"QueueUrl": self._url(self._queue(body["QueueName"]))}

    def list_queues(self, body: Body) -> Body:
        prefix = body.get("QueueNamePrefix", "")
        return {"QueueUrls": [self._url(self._queue(name)) for name in self._queues.names() if name.startswith(prefix)]}

    def get_queue_attributes(self, body: Body) -> Body:
        queue = self._queue(body["QueueUrl"])
        counts = queue.counts()
        found = {
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": str(counts["visible"]),
            "ApproximateNumberOfMessagesNotVisible": str(counts["in_flight"]),
            "ApproximateNumberOfMessagesDelayed": str(counts["delayed"]),
            "VisibilityTimeout": "30",
            **queue.attributes,
        }
        wanted = body.get("AttributeNames") or []
        return {"Attributes": found if "All" in wanted else {name: value for name, value in found.items() if name in wanted}}

    def set_queue_attributes(self, body: Body) -> Body:
        self._queue(body["QueueUrl"]).attributes.update(body.get("Attributes", {}))
        return {}

    def send_message(self, body: Body) -> Body:
        queue = self._queue(body["QueueUrl"])
        _refuse(_entry_fault(body))
        return _sent(self._queues.send_many(queue.name, [_entry(body)])[0])

    def send_message_batch(self, body: Body) -> Body:
        queue, entries = self._queue(body["QueueUrl"]), body["Entries"]
        _check_batch(entries)
        if sum(message_size(entry["MessageBody"], entry.get("MessageAttributes", {})) for entry in entries) > MAXIMUM_MESSAGE_BYTES:
            raise _batch_error("BatchRequestTooLong", f"Batch requests cannot be longer than {MAXIMUM_MESSAGE_BYTES} bytes.")
        faults = {entry["Id"]: fault for entry in entries if (fault := _entry_fault(entry))}
        good = [entry for entry in entries if entry["Id"] not in faults]
        messages = self._queues.send_many(queue.name, [_entry(entry) for entry in good]) if good else []
        failed = [{"Id": each, "Code": code, "Message": text, "SenderFault": True} for each, (code, text) in faults.items()]
        return {"Successful": [{"Id": entry["Id"], **_sent(message)} for entry, message in zip(good, messages, strict=True)], "Failed": failed}

    def receive_message(self, body: Body) -> Body:
        queue = self._queue(body["QueueUrl"])
        maximum, wait = body.get("MaxNumberOfMessages", 1), body.get("WaitTimeSeconds", queue.number("ReceiveMessageWaitTimeSeconds", 0))
        if not 1 <= maximum <= 10:
            raise SqsError("InvalidParameterValue", f"Value {maximum} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10.")
        taken = self._queues.take(queue.name, maximum, wait, body.get("VisibilityTimeout"))
        return {"Messages": [_received(message, body) for message in taken]} if taken else {}

    def delete_message(self, body: Body) -> Body:
        self._queues.delete(self._queue(body["QueueUrl"]).name, [body["ReceiptHandle"]])
        return {}

    def delete_message_batch(self, body: Body) -> Body:
        _check_batch(body["Entries"])
        self._queues.delete(self._queue(body["QueueUrl"]).name, [entry["ReceiptHandle"] for entry in body["Entries"]])
        return {"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]], "Failed": []}

    def change_message_visibility(self, body: Body) -> Body:
        self._queues.release(self._queue(body["QueueUrl"]).name, [body["ReceiptHandle"]], body["VisibilityTimeout"])
        return {}

    def change_message_visibility_batch(self, body: Body) -> Body:
        queue = self._queue(body["QueueUrl"])
        for entry in body["Entries"]:
            self._queues.release(queue.name, [entry["ReceiptHandle"]], entry["VisibilityTimeout"])
        return {"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]], "Failed": []}

    def purge_queue(self, body: Body) -> Body:
        self._queues.purge(self._queue(body["QueueUrl"]).name)
        return {}

    def tag_queue(self, body: Body) -> Body:
        self._queue(body["QueueUrl"])
        return {}

    def _queue(self, name: str) -> Queue:
        queue = self._queues.find(name)
        if queue is None:
            raise SqsError("QueueDoesNotExist", _NO_QUEUE, "AWS.SimpleQueueService.NonExistentQueue")
        return queue

    def _url(self, queue: Queue) -> str:
        return f"{self._endpoint()}/{self._account}/{queue.name}"


def _check_batch(entries: list[Body]) -> None:
    ids = [entry["Id"] for entry in entries]
    if not ids:
        raise _batch_error("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(ids) > 10:
        raise _batch_error("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.")
    if len(set(ids)) < len(ids):
        raise _batch_error("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")


def _batch_error(code: str, message: str) -> SqsError:
    return SqsError(code, message, f"AWS.SimpleQueueService.{code}")


def _entry_fault(entry: Body) -> tuple[str, str] | None:
    if not 0 <= entry.get("DelaySeconds", 0) <= 900:
        return "InvalidParameterValue", "Value for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
    if len(entry.get("MessageAttributes", {})) > 10:
        return "InvalidParameterValue", "Number of message attributes exceeds the allowed maximum [10]."
    return message_fault(entry.get("MessageBody", ""), entry.get("MessageAttributes"))


def _refuse(fault: tuple[str, str] | None) -> None:
    if fault:
        raise SqsError(*fault)


def _entry(entry: Body) -> tuple[str, Body, str | None, float | None]:
    return entry["MessageBody"], entry.get("MessageAttributes", {}), entry.get("MessageGroupId"), entry.get("DelaySeconds")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _sent(message: Message) -> Body:
    return {"MessageId": message.id, "MD5OfMessageBody": _md5(message.body)}


def _received(message: Message, request: Body) -> Body:
    wanted = {*request.get("AttributeNames", ()), *request.get("MessageSystemAttributeNames", ())}
    names = set(request.get("MessageAttributeNames", ()))
    system = {name: value for name, value in message.system_attributes().items() if name in wanted or "All" in wanted}
    own = {name: value for name, value in message.attributes.items() if name in names or names & {"All", ".*"}}
    found = {"MessageId": message.id, "ReceiptHandle": message.receipt, "Body": message.body, "MD5OfBody": _md5(message.body)}
    return found | ({"Attributes": system} if system else {}) | ({"MessageAttributes": own} if own else {})


_OPERATIONS: dict[str, Callable[[SqsApi, Body], Body]] = {
    "CreateQueue": SqsApi.create_queue,
    "GetQueueUrl": SqsApi.get_queue_url,
    "ListQueues": SqsApi.list_queues,
    "GetQueueAttributes": SqsApi.get_queue_attributes,
    "SetQueueAttributes": SqsApi.set_queue_attributes,
    "SendMessage": SqsApi.send_message,
    "SendMessageBatch": SqsApi.send_message_batch,
    "ReceiveMessage": SqsApi.receive_message,
    "DeleteMessage": SqsApi.delete_message,
    "DeleteMessageBatch": SqsApi.delete_message_batch,
    "ChangeMessageVisibility": SqsApi.change_message_visibility,
    "ChangeMessageVisibilityBatch": SqsApi.change_message_visibility_batch,
    "PurgeQueue": SqsApi.purge_queue,
    "TagQueue": SqsApi.tag_queue,
}
