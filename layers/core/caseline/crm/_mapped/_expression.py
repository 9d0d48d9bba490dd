"""JMESPath expressions, which take the values out of answers. What an answer does not have is nothing; the library is loaded with the first one."""

from __future__ import annotations

from typing import Any

from caseline.errors import PayloadError


class Expression:
    """ValueError for what is no JMESPath."""

    def __init__(self, text: Any) -> None:
        if not isinstance(text, str) or not text.strip():
            raise ValueError("write a JMESPath expression")
        import jmespath
        from jmespath.exceptions import JMESPathError

        self.text = text
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError:
            raise ValueError(f"{text!r} is no JMESPath expression; names with other characters than letters, digits and _ are put in double quotes") from None
        self._error: type[Exception] = JMESPathError

    def value(self, data: Any) -> Any:
        try:
            return self._compiled.search(data)
        except (self._error, RecursionError, TypeError):
            raise PayloadError("the expression does not fit what stands there", self.text) from None

    def text_of(self, data: Any) -> str:
        """ "" for what is neither text nor number."""
        return plain(self.value(data))

    def texts(self, data: Any) -> list[str]:
        """Of a list, or of one text with semicolons between."""
        value = self.value(data)
        found = map(plain, value) if isinstance(value, list) else plain(value).split(";")
        return [text.strip() for text in found if text.strip()]

    def rows(self, data: Any) -> list[dict[str, Any]]:
        value = self.value(data)
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise PayloadError("is no list of objects", self.text)
        return value

    def is_true(self, data: Any) -> bool:
        return self.value(data) not in (None, False, "", [], {})


def plain(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def optional(expression: Expression | None, data: Any) -> str:
    return expression.text_of(data) if expression else ""
