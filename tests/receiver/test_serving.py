"""Starting and stopping the server."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time

import pytest

from payops.domain.errors import UsageError
from payops.receiver import Receiver, listen, serve

from .conftest import ACCOUNT, Sender, body


def test_a_used_port_names_port_and_host_and_what_to_do(receiver):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UsageError, match=rf"receiver: port {port} on 127\.0\.0\.1 is in use: .*\[receiver\]"
        ):
            serve(receiver, host="127.0.0.1", port=port)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_a_host_that_is_not_ours_is_named(receiver, host):
    with pytest.raises(UsageError, match="receiver: "):
        serve(receiver, host=host, port=0)


def test_it_listens_on_a_socket_that_was_bound_before(receiver):
    sock = listen("127.0.0.1", 0)
    running = serve(receiver, sock=sock)
    try:
        assert running.port == Sender(running.port).port
        assert running.url == f"http://127.0.0.1:{running.port}"
        assert Sender(running.port).request("GET", "/healthz")[0] == 200
    finally:
        running.stop()


def test_the_port_is_free_again_after_stopping(store, verifiers, clock):
    first = serve(Receiver(store, verifiers, clock))
    Sender(first.port).post(body(1))
    first.stop()
    second = serve(Receiver(store, verifiers, clock), port=first.port)
    assert Sender(second.port).post(body(2)) == 200
    second.stop()


def test_it_leaves_signal_handlers_alone(store, verifiers, clock):
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in watched]
    running = serve(Receiver(store, verifiers, clock))
    try:
        assert [signal.getsignal(number) for number in watched] == before
    finally:
        running.stop()


@pytest.mark.parametrize("trouble", ["idle", "half a request", "waiting for the store"])
def test_stopping_takes_at_most_about_a_second(store, verifiers, clock, monkeypatch, trouble):
    running = serve(Receiver(store, verifiers, clock))
    raw = socket.create_connection(("127.0.0.1", running.port))
    release = threading.Event()
    if trouble == "half a request":
        raw.sendall(f"POST /webhooks/{ACCOUNT} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab".encode())
        time.sleep(0.05)
    elif trouble == "waiting for the store":
        started = threading.Event()
        monkeypatch.setattr(store.inbox, "receive", lambda _: (started.set(), release.wait(10)))

        def send() -> None:
            try:
                Sender(running.port).post(body(1))
            except (http.client.HTTPException, OSError):
                return

        threading.Thread(target=send, daemon=True).start()
        assert started.wait(5)
    began = time.monotonic()
    running.stop()
    assert time.monotonic() - began < 8  # the hung write ends after 10
    release.set()
    raw.close()
