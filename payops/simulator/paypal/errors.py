"""PayPal's refusals: status, name and issue, as its API gives them."""

from __future__ import annotations

from .names import Shape

_DOCS = "https://developer.paypal.com/docs/api/"
_MESSAGES = {
    "INVALID_REQUEST": "Request is not well-formed, syntactically incorrect, or violates schema.",
    "VALIDATION_ERROR": "Invalid request - see details",
    "AUTHENTICATION_FAILURE": "Authentication failed due to missing authorization header, or invalid authentication "
    "credentials.",
    "NOT_AUTHORIZED": "Authorization failed due to insufficient permissions.",
    "RESOURCE_NOT_FOUND": "The specified resource does not exist.",
    "INVALID_RESOURCE_ID": "The requested resource ID was not found.",
    "METHOD_NOT_SUPPORTED": "The server does not implement the requested HTTP method.",
    "UNSUPPORTED_MEDIA_TYPE": "The server does not support the request payload's media type.",
    "UNPROCESSABLE_ENTITY": "The requested action could not be performed, semantically incorrect, or failed business "
    "validation.",
    "RATE_LIMIT_REACHED": "Too many requests. Blocked due to rate limiting.",
    "SERVICE_UNAVAILABLE": "Service Unavailable.",
    "RESULTSET_TOO_LARGE": "Result set size is greater than the maximum limit. Change the filter criteria and try again.",
}
_DESCRIPTIONS = {
    "INVALID_RESOURCE_ID": "Specified resource ID does not exist. Please check the resource ID and try again.",
    "PERMISSION_DENIED": "You do not have permission to access or perform operations on this resource.",
    "MISSING_REQUIRED_PARAMETER": "A required field / parameter is missing.",
    "INVALID_PARAMETER_VALUE": "The value of a field is invalid.",
    "INVALID_PARAMETER_SYNTAX": "The value of a field does not conform to the expected format.",
    "INVALID_STRING_LENGTH": "The value of a field is either too short or too long.",
    "MALFORMED_REQUEST_JSON": "The request JSON is not well formed.",
    "INSTRUMENT_DECLINED": "The instrument presented was either declined by the processor or bank, or it can't be used "
    "for this payment.",
    "PAYER_ACTION_REQUIRED": "Payer needs to perform the following action before proceeding with payment.",
    "TRANSACTION_REFUSED": "The request was refused.",
    "PAYEE_ACCOUNT_RESTRICTED": "The merchant account is restricted.",
    "ORDER_ALREADY_CAPTURED": "Order already captured. If 'intent=CAPTURE' only one capture per order is allowed.",
    "ORDER_NOT_APPROVED": "Payer has not yet approved the Order for payment.",
    "CAPTURE_FULLY_REFUNDED": "The capture has already been fully refunded.",
    "REFUND_AMOUNT_EXCEEDED": "The refund amount must be less than or equal to the capture amount that has not yet been "
    "refunded.",
    "REFUND_FAILED_INSUFFICIENT_FUNDS": "Capture could not be refunded due to insufficient funds.",
    "REFUND_TIME_LIMIT_EXCEEDED": "You are over the time limit to perform a refund on this capture.",
    "REFUND_NOT_ALLOWED": "Full refund refused - partial refund has already been done on this payment.",
    "TRANSACTION_DISPUTED": "Partial refunds cannot be offered at this time because there is an open case on this "
    "transaction.",
    "AUTHORIZATION_ALREADY_CAPTURED": "Authorization has already been captured.",
    "AUTHORIZATION_EXPIRED": "An expired authorization cannot be captured.",
    "AUTHORIZATION_VOIDED": "A voided authorization cannot be captured or reauthorized.",
    "SUBSCRIPTION_STATUS_INVALID": "Invalid subscription status for this action.",
    "ZERO_OUTSTANDING_BALANCE": "Current outstanding balance should be greater than zero.",
    "AMOUNT_GREATER_THAN_OUTSTANDING_BALANCE": "The current outstanding balance is lower than the requested amount.",
}


class ApiError(Exception):
    """A refusal."""

    def __init__(self, status: int, body: Shape) -> None:
        super().__init__(str(body.get("name") or body.get("error")))
        self.status = status
        self.body = body


def named(
    status: int,
    name: str,
    issue: str | None = None,
    *,
    field: str | None = None,
    value: object = None,
    location: str | None = None,
    description: str | None = None,
) -> ApiError:
    """A refusal as everything but the token call words it; the answer adds its `debug_id`."""
    body: Shape = {"name": name, "message": _MESSAGES[name]}
    if issue is not None:
        detail: Shape = {
            "issue": issue,
            "description": description or _DESCRIPTIONS.get(issue, _MESSAGES[name]),
        }
        if field is not None:
            detail["field"] = field
        if value is not None:
            detail["value"] = str(value)[:100]
        if location is not None:
            detail["location"] = location
        body["details"] = [detail]
    body["links"] = [{"href": f"{_DOCS}#error-{issue or name}", "rel": "information_link", "method": "GET"}]
    return ApiError(status, body)


def no_token() -> ApiError:
    return named(401, "AUTHENTICATION_FAILURE")


def invalid_token(why: str) -> ApiError:
    return ApiError(401, {"error": "invalid_token", "error_description": why})


def invalid_client() -> ApiError:
    return ApiError(401, {"error": "invalid_client", "error_description": "Client Authentication failed"})


def unsupported_grant() -> ApiError:
    return ApiError(
        400, {"error": "unsupported_grant_type", "error_description": "Grant Type is NULL or not supported"}
    )


def forbidden() -> ApiError:
    return named(403, "NOT_AUTHORIZED", "PERMISSION_DENIED")


def missing(path: str) -> ApiError:
    """No such object, or no such address."""
    if path.startswith("/v1/notifications/"):
        return named(404, "INVALID_RESOURCE_ID")
    return named(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")


def wrong_method() -> ApiError:
    return named(405, "METHOD_NOT_SUPPORTED")


def wrong_media() -> ApiError:
    return named(415, "UNSUPPORTED_MEDIA_TYPE")


def malformed(
    family: str, field: str, value: object, location: str, issue: str = "INVALID_PARAMETER_VALUE"
) -> ApiError:
    """`family`: how this part of the API calls a request it cannot read."""
    return named(400, family, issue, field=field, value=value, location=location)


def unknown_parameter(family: str, field: str, location: str) -> ApiError:
    said = "The request has a parameter that is not known here."
    return named(400, family, "INVALID_PARAMETER", field=field, location=location, description=said)


def refused(issue: str, *, field: str | None = None, value: object = None) -> ApiError:
    """Well-formed, and not possible."""
    location = None if field is None else "body"
    return named(422, "UNPROCESSABLE_ENTITY", issue, field=field, value=value, location=location)
