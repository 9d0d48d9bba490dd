"""Identities: one identifier of a person, `namespace:id`, in one canonical spelling."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

_NAMESPACE = re.compile(r"[a-z][a-z0-9_]{0,63}(\.[A-Za-z0-9_.-]{1,64})?\Z")
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[a-z0-9](?:[^@\s,;<>\"]{0,253})\Z")
_MAILTO = re.compile(r"\A(?:mailto:)+")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_TYPED_LENGTH = 40  # of a phone number with all its blanks and brackets
_BLANKS = re.compile(r"[\s().\-/\u00a0]")
_MAX_BYTES = 512


def normalise_identity(text: str, region: str = "") -> str | None:
    """The canonical spelling, or None where the text is no identity. `region` is where a phone number without a country's code is from."""
    namespace, mark, value = text.strip().partition(":")
    family = namespace.strip().partition(".")[0].lower() + "".join(namespace.strip().partition(".")[1:])
    if not mark or not _NAMESPACE.match(family):
        return None
    native = normalise_phone(value.strip(), region) if family == "phone" else _NORMALISERS.get(family, normalise_native)(value.strip())
    return f"{family}:{native}" if native else None


def normalise_identities(texts: Iterable[str], region: str = "") -> tuple[str, ...]:
    """In order, each once, malformed ones dropped."""
    return tuple(dict.fromkeys(found for text in texts if (found := normalise_identity(text, region))))


def is_own(identity: str, own_ids: Collection[str]) -> bool:
    """Whether an identity is the brand's: named itself, or an address of a domain that is."""
    namespace, _, value = identity.partition(":")
    return identity in own_ids or (namespace == "email" and f"domain:{value.rpartition('@')[2]}" in own_ids)


def is_identity(typed: str) -> bool:
    """Whether people mean an identity rather than a customer's id: an address or a number is one without its namespace, too."""
    return ":" in typed or "@" in typed or typed.startswith("+")


def guess_identity(typed: str) -> str:
    """What people type: an address, a number or a handle goes without its namespace."""
    if ":" in typed or not typed:
        return typed
    kind = "x" if typed.startswith("@") else "email" if "@" in typed else "phone"
    return f"{kind}:{typed}"


def normalise_email(value: str) -> str | None:
    value = _MAILTO.sub("", value.lower()).rstrip(".")
    return value if _EMAIL.match(value) and value.isprintable() else None


def normalise_phone(value: str, region: str = "") -> str | None:
    """`+` and 7 to 15 digits (E.164); a leading 00 is a +. A number without its country's code is nobody's in particular, unless the region is known.

    What platforms and careful people write needs no library; a country's own way of writing, and `+44 (0)20...`, do.
    """
    value = value[4:] if value[:4].lower() == "tel:" else value
    digits, trunk = _BLANKS.sub("", value), "(0)" in value
    digits = "+" + digits[2:] if digits.startswith("00") else digits
    if _PHONE.match(digits) and not trunk:
        return digits
    if len(value) > _TYPED_LENGTH or not (region or trunk):
        return None
    from caseline.phones import read_typed

    return read_typed(value, region)


def normalise_native(value: str) -> str | None:
    """A platform's own id as sent; a handle (`@name`) in folded case."""
    value = "@" + value[1:].strip().casefold() if value.startswith("@") else value
    fits = 0 < len(value.encode("utf-8", "surrogatepass")) <= _MAX_BYTES and value.isprintable()
    return value if fits and value != "@" else None


def normalise_domain(value: str) -> str | None:
    return normalise_native(value.lower().strip("."))


_NORMALISERS = {"email": normalise_email, "domain": normalise_domain}
