"""Objects that S3 tells of, by its own notifications (keys are URL-encoded) or through EventBridge (they are not)."""

from __future__ import annotations

from urllib.parse import unquote_plus

from caseline.payloads import Field


def read_stored(event: Field) -> tuple[str, str] | None:
    """Bucket and key of the object that was made, of a record or an event; None for whatever else happens to objects."""
    if "s3" in event:
        made, place = event["eventName"].text().removeprefix("s3:").startswith("ObjectCreated:"), event["s3"]
        key = unquote_plus(place["object"]["key"].text())
    else:
        made, place = event["detail-type"].text() == "Object Created", event["detail"]
        key = place["object"]["key"].text()
    return (place["bucket"]["name"].text(), key) if made else None
