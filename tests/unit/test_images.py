"""Images of items as clients and as streams give them."""

from caseline.images import deserialise, serialise
from caseline.timeline import read_text, stored_text


def test_compressed_text_is_read_from_a_stream_record():
    """A record is JSON, where bytes are base64."""
    from tests.kit.aws import aws

    text = "The parcel came back for the third time. " * 40
    with aws() as cloud:
        row = {"PK": "SIGNAL#1", "SK": "SIGNAL", **stored_text(text)}
        cloud.client("dynamodb").put_item(TableName=cloud.table, Item={name: serialise(value) for name, value in row.items()})
        (record,) = cloud.stream_records()
    assert isinstance(record["dynamodb"]["NewImage"]["text_z"]["B"], str)
    assert read_text(deserialise(record["dynamodb"]["NewImage"])) == text
