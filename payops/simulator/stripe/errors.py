"""Stripe's refusals: status, type, code and words, as its API gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DOCS = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """A refusal. `executed`: the request was valid and ran, so an idempotency key keeps this answer.

    `more` are further fields of the error, such as the object in its new state.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        type_: str = "invalid_request_error",
        executed: bool = False,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.executed = executed
        error: dict[str, Any] = {"type": type_, "message": message}
        if code is not None:
            error |= {"code": code, "doc_url": _DOCS + code.replace("_", "-")}
        if param is not None:
            error["param"] = param
        self.body: dict[str, Any] = {"error": error | dict(more or {})}


def _masked(token: str) -> str:
    """Stripe shows the kind of a key and its last four characters."""
    kind = token[: token.rfind("_") + 1] if "_" in token[:12] else ""
    return f"{kind}{'*' * max(4, len(token) - len(kind) - 4)}{token[-4:]}"


def no_key() -> ApiError:
    return ApiError(
        401,
        "You did not provide an API key. You need to provide your API key in the Authorization header, using "
        "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication "
        "for details, or we can help at https://support.stripe.com/.",
    )


def invalid_key(token: str) -> ApiError:
    return ApiError(401, f"Invalid API Key provided: {_masked(token)}")


def expired_key(token: str) -> ApiError:
    return ApiError(401, f"Expired API Key provided: {_masked(token)}", code="api_key_expired")


def not_permitted(token: str, account: str, permission: str) -> ApiError:
    return ApiError(
        403,
        f"The provided key '{_masked(token)}' does not have the required permissions for this endpoint on account "
        f"'{account}'. Having the '{permission}' permission would allow this request to continue.",
        code="more_permissions_required_for_application",
    )


def no_such_account(token: str, account: str) -> ApiError:
    return ApiError(
        403,
        f"The provided key '{_masked(token)}' does not have access to account '{account}' (or that account does "
        "not exist). Application access may have been revoked.",
        code="account_invalid",
    )


def unknown_url(method: str, path: str) -> ApiError:
    return ApiError(
        404,
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
    )


def missing(kind: str, object_id: str, *, param: str = "id", elsewhere: str | None = None) -> ApiError:
    """No such object; `elsewhere` is the mode in which one exists. 404 in the path, 400 in a parameter."""
    message = f"No such {kind}: '{object_id}'"
    if elsewhere is not None:
        used = "test" if elsewhere == "live" else "live"
        message += f"; a similar object exists in {elsewhere} mode, but a {used} mode key was used to make this request."
    return ApiError(404 if param == "id" else 400, message, code="resource_missing", param=param)


def unknown_parameters(names: list[str]) -> ApiError:
    plural = "s" if len(names) > 1 else ""
    return ApiError(
        400,
        f"Received unknown parameter{plural}: {', '.join(names)}",
        code="parameter_unknown",
        param=names[0],
    )


def missing_parameter(name: str) -> ApiError:
    return ApiError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)


def invalid(param: str, message: str, code: str | None = None) -> ApiError:
    return ApiError(400, message, code=code, param=param)


def exclusive(first: str, second: str) -> ApiError:
    return ApiError(
        400,
        f"You may only specify one of these parameters: {first}, {second}.",
        code="parameters_exclusive",
        param=first,
    )


def key_reused(key: str) -> ApiError:
    return ApiError(
        400,
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request.",
        type_="idempotency_error",
    )


def locked() -> ApiError:
    """429 without the header that names a limit: somebody else is changing the object."""
    return ApiError(
        429,
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it. If you see this error intermittently, retry the request.",
        code="lock_timeout",
    )


def not_json() -> ApiError:
    return ApiError(400, "The request body is not a JSON object.")


def key_in_use(key: str) -> ApiError:
    return ApiError(
        409,
        "There is currently another in-progress request using this Idempotent Key (that probably means you "
        f"submitted twice, and the other request is still going through): {key}. Please try again later.",
        code="idempotency_key_in_use",
        type_="idempotency_error",
    )
