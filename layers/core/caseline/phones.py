"""Phone numbers as people type them, in E.164. The library, with Google's metadata, is loaded only here, and with the first number that needs it."""

from __future__ import annotations


def read_typed(text: str, region: str = "") -> str | None:
    """`020 7946 0018` in region GB, `+44 (0)20 7946 0018` anywhere; None for what is no valid number, or a desk behind a shared one (an extension)."""
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region.upper() or None)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_region(code: object) -> bool:
    """Whether it is two letters of ISO 3166 that have phone numbers."""
    import phonenumbers

    return isinstance(code, str) and code.upper() in phonenumbers.SUPPORTED_REGIONS
