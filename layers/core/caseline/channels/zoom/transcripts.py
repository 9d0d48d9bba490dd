"""What was said in a recorded call on Zoom: the notice names the recording, its transcript is asked for.

Facts: developers.zoom.us, "Server-to-server OAuth", "Zoom Phone API". Not confirmed: that transcripts are WebVTT with the speaker's name before a colon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from caseline.calls import read_answer, read_credentials
from caseline.errors import UnavailableError
from caseline.payloads import clean_text
from caseline.signals import Signal
from caseline.signatures import encode_base64
from caseline.sources import Source

HOSTS = ("api.zoom.us", "zoom.us")
TOKEN_URL, TRANSCRIPT_URL = "https://zoom.us/oauth/token", "https://api.zoom.us/v2/phone/recording_transcript/download/"
CUE = re.compile(r"[0-9:.]+ --> ")
SPEAKER = re.compile(r"(?:<v ([^>]+)>|([^:<]{1,80}): )(.*)")


def complete(session: Any, source: Source, signal: Signal) -> Signal:
    """The transcript of a recording: the customer's lines where the agent's name is known, else all of them."""
    credentials = read_credentials(source)
    login = encode_base64(f"{credentials['client_id'].text()}:{credentials['client_secret'].text()}".encode())
    asked = {"grant_type": "account_credentials", "account_id": credentials["account_id"].text()}
    token = read_answer(session.request("POST", TOKEN_URL, params=asked, headers={"Authorization": f"Basic {login}"}), "a token")["access_token"].text()
    answer = session.request("GET", TRANSCRIPT_URL + quote(signal.native_id, safe=""), headers={"Authorization": f"Bearer {token}"})
    if answer.status_code != 200:
        raise UnavailableError(f"the platform answered {answer.status_code} when asked for a transcript")
    lines = read_lines(answer.content.decode("utf-8", "replace"))
    agent = str(signal.attributes.get("agent") or "").casefold()
    return signal.with_(kind="call", text=clean_text("\n".join(words for speaker, words in lines if not agent or speaker.casefold() != agent)) or None)


def read_lines(transcript: str) -> Iterator[tuple[str, str]]:
    """Speaker and words of each line of a WebVTT file; a line without a speaker goes on with the one before."""
    speaker, spoken = "", False
    for line in transcript.splitlines():
        spoken = bool(CUE.match(line)) or (spoken and bool(line.strip()))
        if not spoken or CUE.match(line):
            continue
        named = SPEAKER.match(line)
        speaker, words = ((named[1] or named[2]).strip(), named[3]) if named else (speaker, line)
        yield speaker, words.removesuffix("</v>").strip()
