"""Access tokens: given to a client, good for nine hours of the world's time. Nothing of them is kept."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import parse_qs

from payops.simulator.keys import Key
from payops.simulator.wire import Request

from . import errors
from .account import PayPalAccount
from .keys import SCOPES, PayPalKeyring, app_id
from .names import Shape, instant

LIFE_S = 32_400
_TOKEN = re.compile(r"A21AA([a-z]{2,20})\.([0-9]{1,15})\.([0-9a-f]{40})")


@dataclass(frozen=True, slots=True)
class Access:
    """Whose token it is."""

    account: PayPalAccount
    key: Key

    @property
    def home(self) -> bool:
        """The client belongs to the environment that has anything in it."""
        return self.key.mode == self.account.mode

    def may(self, scope: str) -> bool:
        return scope not in self.key.denied


def issue(accounts: Sequence[PayPalAccount], request: Request, now_ms: int) -> Shape:
    """The answer of `POST /v1/oauth2/token`.

    A client of the other environment gets the token that environment's host would give: its `app_id` says so.
    """
    account, key = _client(accounts, request.headers.get("authorization", ""))
    if parse_qs(request.body).get("grant_type") != ["client_credentials"]:
        raise errors.unsupported_grant()
    names = account.names
    return {
        "scope": " ".join(scope for scope in SCOPES if scope not in key.denied),
        "access_token": f"A21AA{key.name}.{now_ms}.{_proof(account, key, now_ms)}",
        "token_type": "Bearer",
        "app_id": app_id(account.seed, account.name, key.mode),
        "expires_in": LIFE_S,
        "nonce": f"{instant(now_ms)}{names.secret(f'nonce/{key.name}/{now_ms}', 43)}",
    }


def _client(accounts: Sequence[PayPalAccount], header: str) -> tuple[PayPalAccount, Key]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise errors.invalid_client()
    try:
        token = b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (NotBase64, UnicodeDecodeError) as error:
        raise errors.invalid_client() from error
    for account in accounts:
        key = account.keyring.get(token)
        if key is not None and not key.dead:
            return account, key
    raise errors.invalid_client()


def check(accounts: Sequence[PayPalAccount], header: str | None, now_ms: int) -> Access:
    """Whose token a request shows; `ApiError` 401 when it shows none that is good."""
    if header is None:
        raise errors.no_token()
    scheme, _, token = header.partition(" ")
    match = _TOKEN.fullmatch(token.strip())
    if scheme.lower() != "bearer" or match is None:
        raise errors.invalid_token("Token signature verification failed")
    name, issued_ms, proof = match.group(1), int(match.group(2)), match.group(3)
    for account in accounts:
        keyring = account.keyring
        assert isinstance(keyring, PayPalKeyring)
        key = keyring.client(name)
        if key is None or _proof(account, key, issued_ms) != proof:
            continue
        if key.dead or now_ms >= issued_ms + LIFE_S * 1000:
            raise errors.invalid_token("The token passed in was not found in the system")
        return Access(account, key)
    raise errors.invalid_token("Token signature verification failed")


def _proof(account: PayPalAccount, key: Key, issued_ms: int) -> str:
    said = f"{account.seed}/{account.name}/{key.token}/{issued_ms}"
    return blake2b(said.encode(), digest_size=20).hexdigest()
