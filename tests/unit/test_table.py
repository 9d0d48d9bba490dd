"""What AWS's DynamoDB does and an emulator behind a lock does not."""

import pytest
from botocore.exceptions import ClientError
from caseline.errors import UnavailableError
from caseline.table import ConditionFailed, InvalidError, Table

from tests.kit.aws import aws

KEYS = {"PK": "P", "SK": "S"}


class Refusing:
    """A client whose first answers are these errors; `requests` are what it was asked."""

    def __init__(self, client, *errors):
        self._client, self.errors, self.requests = client, list(errors), []

    def __getattr__(self, operation):
        def call(**request):
            self.requests.append((operation, request))
            if self.errors:
                raise self.errors.pop(0)
            return getattr(self._client, operation)(**request)

        return call


def refusal(code, *reasons):
    return ClientError({"Error": {"Code": code, "Message": ""}, "CancellationReasons": [{"Code": reason} for reason in reasons]}, "Any")


@pytest.fixture
def dynamodb():
    with aws() as cloud:
        yield cloud.client("dynamodb")


def opened(client, *errors):
    return Table(Refusing(client, *errors), "Caseline", sleep=lambda _: None)


@pytest.mark.parametrize(
    "error",
    [
        refusal("TransactionConflictException"),
        refusal("TransactionCanceledException", "None", "TransactionConflict"),
        refusal("TransactionCanceledException", "ThrottlingError", "None"),
    ],
)
def test_what_another_lambda_is_writing_is_tried_again(dynamodb, error):
    table = opened(dynamodb, error, error)
    table.transact(table.put_write({**KEYS, "n": 1}, "attribute_not_exists(PK)"), table.put_write({**KEYS, "SK": "T"}))
    assert table.get("P", "S") == {**KEYS, "n": 1}


def test_contention_ends(dynamodb):
    table = opened(dynamodb, *[refusal("TransactionConflictException")] * 50)
    with pytest.raises(UnavailableError):
        table.update("P", "S", "SET n = :n", n=1)
    assert len(table.client.requests) < 10


def test_a_lost_condition_is_told_at_once_also_beside_a_conflict(dynamodb):
    table = opened(dynamodb, refusal("TransactionCanceledException", "TransactionConflict", "ConditionalCheckFailed"))
    with pytest.raises(ConditionFailed):
        table.transact(table.put_write(KEYS))


def test_one_item_that_spoils_the_request_is_refused_alone(dynamodb):
    """DynamoDB may refuse all 25 statements for the sake of one."""

    class Strict:
        def batch_execute_statement(self, Statements):  # noqa: N803
            if any({"S": "spoilt"} in statement["Parameters"] for statement in Statements):
                raise refusal("SerializationException")
            return dynamodb.batch_execute_statement(Statements=Statements)

    rows = [{"PK": f"P{number}", "SK": "spoilt" if number == 3 else "S"} for number in range(6)]
    outcome = Table(Strict(), "Caseline").insert_many(rows)
    assert outcome.refused == [rows[3]] and outcome.existing == []
    assert len(opened(dynamodb).get_many(rows)) == 5


def test_what_dynamodb_never_takes_is_named(dynamodb):
    with pytest.raises(InvalidError):
        opened(dynamodb, refusal("ValidationException")).put(KEYS)


def test_a_partition_is_read_consistently_an_index_cannot_be(dynamodb):
    table = opened(dynamodb)
    assert list(table.query("P")) == list(table.query("P", index="timeline")) == []
    assert [request.get("ConsistentRead") for _, request in table.client.requests] == [True, None]


def test_a_list_is_read_by_its_index_and_the_rows_themselves(dynamodb):
    """One query and one batch read; who has left the list since the index was written is left out, and no page ends early for it."""
    table = opened(dynamodb)
    for number in range(5):
        table.put({"PK": f"R{number}", "SK": "R", "list_name": "L", "list_rank": f"{number}", "words": "w" * number})
    assert [row["words"] for row in table.list_rows("L")] == ["wwww", "www", "ww", "w", ""]
    assert [row["PK"] for row in table.list_rows("L", before="3", limit=2)] == ["R2", "R1"]
    stale = [{"PK": "R4", "SK": "R", "list_rank": "9"}, {"PK": "R3", "SK": "R", "list_rank": "8"}, {"PK": "gone", "SK": "R", "list_rank": "7"}]
    table.update("R4", "R", "SET list_name = :other", other="M")
    table.query = lambda *_, **__: iter(stale)
    assert [(row["PK"], row["list_rank"]) for row in table.list_rows("L", limit=4)] == [("R3", "8")]
