"""Every error Caseline raises on purpose. Step Functions retries CRM errors by class name."""

from __future__ import annotations


class CaselineError(Exception):
    """Base of all errors raised on purpose."""


class SignatureError(CaselineError):
    """The request is not proven to come from the platform. Answered 401 without detail."""


class PayloadError(CaselineError):
    """An authentic payload that is not understood; `field` is the path of what is wrong."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.message = message
        self.field = field


class UnknownChannelError(CaselineError):
    """No channel module of that name."""


class UnknownCrmError(CaselineError):
    """No CRM module of that name."""


class ConfigError(CaselineError):
    """The configuration is wrong; the text says where and what to write."""


class UnfitModelError(CaselineError):
    """What stands as a tenant's model is none that may judge here; the text says why."""


class UnavailableError(CaselineError):
    """A service of ours (queue, secret store, table) or a platform's did not answer; try again later: not before `retry_after` seconds, where it said so."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnclaimedError(CaselineError):
    """An event that no configured source wants; it is kept with the dead letters until one does."""


class CrmError(CaselineError):
    """Base of what a CRM adapter raises."""


class CrmAuthError(CrmError):
    """Wrong or expired credentials; refreshed once, then never retried."""


class CrmForbiddenError(CrmAuthError):
    """The login is right, but its user may not do this one thing."""


class CrmNotFoundError(CrmError):
    """The record does not exist (any more)."""


class CrmConflictError(CrmError):
    """A locked row or a lost race; retry with jitter."""


class CrmRateLimitError(CrmError):
    """Too many calls; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 30.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CrmUnavailableError(CrmError):
    """The CRM is down, slow or answered nonsense; retry later, not before `retry_after` seconds where it said so. `asked`: a call was made, so that its
    work may still be under way there."""

    def __init__(self, message: str, asked: bool = True, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.asked, self.retry_after = asked, retry_after


class CrmRejectedError(CrmError):
    """The CRM refuses the value of `field`; retrying will not help."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class QueryError(CaselineError):
    """A parameter or a field of a request to the API or the console is wrong; `field` names it. Answered 400."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message


class NotFoundError(CaselineError):
    """There is no such customer, case or page. Answered 404."""


class ForbiddenError(CaselineError):
    """This person may not do that, or their browser was sent here by another site. Answered 403."""


class ConflictError(CaselineError):
    """Someone else changed it since it was read, or it is not in the state for that. Answered 409."""
