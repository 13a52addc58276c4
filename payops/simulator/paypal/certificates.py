"""What PayPal signs webhooks with: an authority of the simulator's own, and a certificate under it.

The authority is a function of the seed, to the byte, so that every process of a world knows the same one. The RSA key
under it is made once per process: signatures differ from run to run, and with them the certificate's address.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from payops.clock import from_epoch

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

HOST = "messageverificationcerts.paypal.com"
PATH = "/v1/notifications/certs/"
ALGORITHM = "SHA256withRSA"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_LAST = datetime(2101, 1, 1, tzinfo=UTC)
_BEFORE = timedelta(days=60)
_AFTER = timedelta(days=730)


def _number(seed: int, what: str) -> int:
    return int.from_bytes(blake2b(f"paypal/{what}/{seed}".encode(), digest_size=32).digest(), "big")


@lru_cache(maxsize=8)
def _authority(seed: int) -> tuple[EllipticCurvePrivateKey, Certificate]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.derive_private_key(_number(seed, "authority") % (_P256_ORDER - 1) + 1, ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "payops simulator"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Simulated PayPal Webhook CA"),
        ]
    )
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(_number(seed, "authority serial") >> 97)
        .not_valid_before(_FIRST)
        .not_valid_after(_LAST)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return key, certificate


def authority_pem(seed: int) -> str:
    """The authority's certificate: the same text in every process."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return _authority(seed)[1].public_bytes(Encoding.PEM).decode("ascii")


@lru_cache(maxsize=1)
def _signing_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate_id() -> str:
    """`CERT-…`: another one in another process, so that nobody who keeps certificates by address keeps a wrong one."""
    public = _signing_key().public_key().public_numbers().n
    digest = blake2b(public.to_bytes(256, "big"), digest_size=16).hexdigest()
    return f"CERT-{digest[:8]}-{digest[8:16]}-{digest[16:24]}"


@lru_cache(maxsize=8)
def certificate_pem(seed: int, start_ms: int) -> bytes:
    """The certificate deliveries are signed with, valid around a world's start, and the authority's after it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    authority_key, authority = _authority(seed)
    public = _signing_key().public_key()
    start = from_epoch(start_ms / 1000)
    usage = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "PayPal, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, HOST),
        ]
    )
    leaf = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(public)
        .serial_number(_number(seed, certificate_id()) >> 97)
        .not_valid_before(max(_FIRST, start - _BEFORE))
        .not_valid_after(min(_LAST, start + _AFTER))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(authority_key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return leaf.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)


def _message(transmission_id: str, transmission_time: str, webhook_id: str, body: bytes) -> bytes:
    return f"{transmission_id}|{transmission_time}|{webhook_id}|{zlib.crc32(body)}".encode()


def signature(transmission_id: str, transmission_time: str, webhook_id: str, body: bytes) -> str:
    """`PAYPAL-TRANSMISSION-SIG` of a delivery of these very bytes."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    message = _message(transmission_id, transmission_time, webhook_id, body)
    return b64encode(_signing_key().sign(message, padding.PKCS1v15(), hashes.SHA256())).decode("ascii")


def fits(sent: str, transmission_id: str, transmission_time: str, webhook_id: str, body: bytes) -> bool:
    """Whether `sent` is our signature of these very bytes for that webhook."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    message = _message(transmission_id, transmission_time, webhook_id, body)
    try:
        raw = b64decode(sent, validate=True)
        _signing_key().public_key().verify(raw, message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, NotBase64):
        return False
    return True
