"""What an Instagram mention says: the notice names a media or a comment, its words are asked for.

Facts: developers.facebook.com, "Instagram Platform: mentioned_comment, mentioned_media". Settings: `graph_host`, `graph_version` (not confirmed which is
current). A comment's author is named only where the platform says so.
"""

from __future__ import annotations

from typing import Any

from caseline.calls import read_answer, read_credentials, read_setting
from caseline.errors import UnavailableError
from caseline.identity import normalise_identities
from caseline.payloads import Field
from caseline.signals import DELETED, Signal
from caseline.sources import Source

HOSTS = ("graph.facebook.com", "graph.instagram.com")
VERSION = "v24.0"
FIELDS = {"mentioned_comment": "id,text,timestamp,like_count,username", "mentioned_media": "id,caption,timestamp,like_count,username,permalink"}


def complete(session: Any, source: Source, signal: Signal) -> Signal:
    """The comment or the media in which the brand is mentioned; one that is gone by now is a deletion."""
    if signal.attributes.get("platform") != "instagram" or not signal.attributes.get("account"):
        raise UnavailableError("only mentions on Instagram can be fetched")
    kind = "mentioned_media" if signal.native_id == signal.thread_id else "mentioned_comment"
    item = f"{kind}.{kind.removeprefix('mentioned_')}_id({signal.native_id}){{{FIELDS[kind]}}}"
    url = f"https://{read_setting(source, 'graph_host', HOSTS[0])}/{read_setting(source, 'graph_version', VERSION)}/{signal.attributes['account']}"
    headers = {"Authorization": f"Bearer {read_credentials(source)['access_token'].text()}"}
    answer = session.request("GET", url, params={"fields": item}, headers=headers)
    if answer.status_code == 404:
        return signal.with_(kind="mention", action=DELETED, attributes={})
    return _read_mention(read_answer(answer, "a mention")[kind], signal)


def _read_mention(mention: Field, signal: Signal) -> Signal:
    handle = mention["username"].text_or_none()
    return signal.with_(
        kind="mention", text=mention["text"].text_or_none() or mention["caption"].text_or_none(),
        occurred_at=mention["timestamp"].time_or_none() or signal.occurred_at,
        identities=tuple(normalise_identities([f"instagram:@{handle}"] if handle else [])), author_name=handle, url=mention["permalink"].text_or_none(),
        engagement=mention["like_count"].integer_or_none(), parent_id=signal.thread_id if signal.thread_id != signal.native_id else None,
    )
