"""Who a request to console or API is from: a token of the issuer in the Authorization header or the session cookie; anything else is 401."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from caseline.oidc import TokenError, read_name, read_roles
from caseline.people import read_token
from caseline.wiring import wiring

logger = Logger()


class Unauthorised(Exception):  # noqa: N818
    """API Gateway answers 401 to this very text and 500 to any other."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    try:
        claims = wiring().provider.check_token(read_token(event))
    except TokenError as error:
        logger.info("refused", extra={"reason": str(error)})
        raise Unauthorised("Unauthorized") from None
    return allow(event["methodArn"], read_name(claims), read_roles(claims))


def allow(method_arn: str, name: str, roles: list[str]) -> dict[str, Any]:
    """Leave to call this stage of this API; what a person may change there is decided by role where it is changed."""
    api, stage = method_arn.split("/")[:2]
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{api}/{stage}/*"}
    return {"principalId": name, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}, "context": {"roles": ",".join(roles)}}
