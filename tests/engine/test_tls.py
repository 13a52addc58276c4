"""The certificate of our own address, over a real TLS connection on loopback."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from payops.clock import utc_now
from payops.engine.tls import certificate_reader, read_certificate


def certificate(path: Path, name: str, days: int) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = utc_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[int], tuple[str, Path]]]:
    """`served(days)` serves a certificate good for so many days; its URL and the file to trust."""
    with ExitStack() as stack:

        def serve(days: int) -> tuple[str, Path]:
            file = tmp_path / f"{days}.pem"
            certificate(file, "payops.example", days)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(file)
            server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return f"https://127.0.0.1:{server.server_port}/webhooks/a", file

        yield serve


def test_a_trusted_certificate_tells_the_days_it_has_left(served, monkeypatch) -> None:
    url, file = served(40)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    found = read_certificate(url, utc_now())
    assert (found.problem, found.days_left) == ("", 40)


def test_an_untrusted_one_is_named_as_such(served) -> None:
    url, _ = served(40)
    assert "self-signed" in read_certificate(url, utc_now()).problem.replace("self signed", "self-signed")


def test_an_expired_one_is_named_as_such(served, monkeypatch) -> None:
    url, file = served(-2)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert "expired" in read_certificate(url, utc_now()).problem


def test_nobody_there_is_a_problem_and_plain_http_has_no_certificate() -> None:
    assert read_certificate("https://127.0.0.1:9/", utc_now()).problem
    assert read_certificate("http://127.0.0.1:9/", utc_now()).problem == ""


def test_what_is_routed_elsewhere_is_not_connected_to() -> None:
    read = certificate_reader({"https://stripe.sim": "http://127.0.0.1:9"})
    assert read("https://stripe.sim/webhooks/a", utc_now()).problem == ""
