"""Where PayPal's webhook certificates come from, and which are trusted.

The address is the sender's to choose, so it is followed only to PayPal's own hosts, without redirects, within a
bound in size, time and number; what comes back counts only when it chains to an authority we trust and is for a
name of PayPal's.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from payops.domain.payments import Mode
from payops.providers.port import Patience

from .hosts import mode_of_host

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import Certificate as X509

    from payops.providers.web import Web

_PATH = re.compile(r"/v1/notifications/certs/[A-Za-z0-9_-]{1,120}")
_DOMAIN = ".paypal.com"
_MOST_BYTES = 64 * 1024
_MOST_KEPT = 16
_MOST_IN_CHAIN = 6
_MOST_FETCHES = 20
_FETCHES_WITHIN = timedelta(minutes=1)


class NotTrusted(Exception):
    """Why a certificate is not to be used, in a few words."""


class NotFetched(Exception):
    """Why a certificate could not be had now, in a few words: of who refers to it, it says nothing."""


@dataclass(frozen=True, slots=True)
class Address:
    """A checked certificate address. `mode`: of the host it names."""

    url: str
    path: str
    mode: Mode


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A trusted certificate."""

    key: RSAPublicKey
    not_before: datetime
    not_after: datetime

    def valid(self, now: datetime) -> bool:
        return self.not_before <= now <= self.not_after


def address(text: str) -> Address:
    """The address in a webhook's header; `NotTrusted` when it is not one of PayPal's."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise NotTrusted("the certificate's address is malformed") from None
    if parts.scheme != "https":
        raise NotTrusted("the certificate's address is not https")
    # Compared whole: a user name, a port or a longer name before or behind it is another host.
    mode = mode_of_host(parts.netloc)
    if mode is None:
        raise NotTrusted("the certificate's address is at none of PayPal's hosts")
    if not _PATH.fullmatch(parts.path) or text != f"https://{parts.netloc}{parts.path}":
        raise NotTrusted("the certificate's address is not where PayPal keeps certificates")
    return Address(text, parts.path, mode)


class Certificates:
    """Fetches and keeps them. Any thread may ask; one fetches at a time.

    `simulated` is the base URL of a simulated PayPal: certificates are fetched there, and `authority` (PEM) is the
    only one trusted. Else the system's authorities are.
    """

    def __init__(self, patience: Patience, *, simulated: str | None, authority: str | None) -> None:
        self._patience = patience
        self._simulated = simulated
        self._authority = authority
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Certificate] = OrderedDict()
        self._fetches: deque[datetime] = deque()
        self._web: Web | None = None

    def get(self, at: Address, now: datetime) -> Certificate:
        """The certificate at an address, valid now; `NotTrusted` when there is none to trust, or `NotFetched`."""
        found = self._kept.get(at.url)
        if found is not None and found.valid(now):
            return found
        with self._lock:
            found = self._kept.get(at.url)
            if found is None or not found.valid(now):
                found = self._trusted(self._fetch(at, now), now)
                self._kept[at.url] = found
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return found

    def _fetch(self, at: Address, now: datetime) -> bytes:
        from payops.providers.web import NoAnswer, Web

        recent = self._fetches
        while recent and not now - _FETCHES_WITHIN < recent[0] <= now:
            recent.popleft()
        if len(recent) >= _MOST_FETCHES:
            raise NotFetched("too many unknown certificate addresses within a minute")
        recent.append(now)
        if self._web is None:
            self._web = Web(self._patience, use_environment=self._simulated is None)
        url = at.url if self._simulated is None else f"{self._simulated.rstrip('/')}{at.path}"
        try:
            answer = self._web.send("certs", "GET", url, headers={"Accept": "application/x-pem-file, */*"})
        except NoAnswer as error:
            raise NotFetched(f"the certificate could not be fetched: {error}") from None
        finally:
            self._web.drain()
        if answer.status == 429 or answer.status >= 500:
            raise NotFetched(f"the certificate could not be fetched: answered {answer.status}")
        if answer.status != 200:
            raise NotTrusted(f"the certificate could not be fetched: answered {answer.status}")
        if len(answer.body) > _MOST_BYTES:
            raise NotTrusted(f"the certificate could not be fetched: more than {_MOST_BYTES >> 10} KiB")
        return answer.body

    def _trusted(self, pem: bytes, now: datetime) -> Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.x509 import verification

        try:
            chain = x509.load_pem_x509_certificates(pem)
        except ValueError:
            raise NotTrusted("the certificate cannot be read") from None
        if len(chain) > _MOST_IN_CHAIN:
            raise NotTrusted("the certificate comes with too many others")
        leaf = chain[0]
        name = _name(leaf)
        if name is None:
            raise NotTrusted("the certificate is not for a name of PayPal's")
        # The certificate's own validity is named before its chain is judged: it is what goes wrong in real life.
        if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
            raise NotTrusted("the certificate is not valid at this time")
        policy = verification.PolicyBuilder().store(verification.Store(self._authorities())).time(now)
        try:
            policy.build_server_verifier(x509.DNSName(name)).verify(
                leaf, [*chain[1:], *self._intermediates()]
            )
        except verification.VerificationError:
            raise NotTrusted("the certificate does not chain to an authority that is trusted") from None
        key = leaf.public_key()
        if not isinstance(key, RSAPublicKey):
            raise NotTrusted("the certificate has no RSA key")
        return Certificate(key, leaf.not_valid_before_utc, leaf.not_valid_after_utc)

    def _authorities(self) -> list[X509]:
        from cryptography import x509

        if self._simulated is not None:
            if self._authority is None:
                raise NotTrusted("no webhook_ca is configured for the simulated PayPal")
            return x509.load_pem_x509_certificates(self._authority.encode())
        import certifi

        return x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes())

    def _intermediates(self) -> list[X509]:
        """What the SDK brings, for an answer that leaves the link to the authority out. Never trusted by itself."""
        from cryptography import x509

        spec = find_spec("paypalrestsdk") if self._simulated is None else None
        folders = [Path(each) / "data" for each in (spec and spec.submodule_search_locations) or ()]
        found: list[X509] = []
        for folder in folders:
            for file in sorted(folder.glob("*.pem")):
                try:
                    found += x509.load_pem_x509_certificates(file.read_bytes())
                except ValueError:
                    continue
        return found


def _name(leaf: X509) -> str | None:
    """A name of PayPal's the certificate is for; a wildcard stands for one of the hosts under it."""
    from cryptography import x509

    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None
    for name in names.get_values_for_type(x509.DNSName):
        if name.endswith(_DOMAIN):
            return name.replace("*", "api", 1) if name.startswith("*.") else name
    return None
