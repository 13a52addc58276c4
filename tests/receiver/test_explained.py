"""Why a signature does not fit is told to the log and the store, and never to the sender."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from payops.config import AccountSettings
from payops.domain.refusals import CAUSES, fix_of
from payops.engine.wiring import open_verifiers
from payops.providers import open_verifier
from payops.providers.foreign import Foreign
from payops.receiver import Receiver
from payops.signals import signatures

from .conftest import ACCOUNT, NOW, SECRET, T0, body, event, sign
from .test_bad_input import PROVIDERS, Providers, post

OTHERS = (
    Foreign("stored", "fallback_credentials[0]", ("whsec_rolled",)),
    Foreign("other_mode", "stripe-test", ("whsec_of_test",)),
    Foreign("other_account", "stripe-shop2", ("whsec_of_shop2",)),
)
CLI = "whsec_" + "0123456789abcdef" * 4


def stripe(*secrets: str):
    account = AccountSettings.model_validate(
        {
            "name": ACCOUNT,
            "provider": "stripe",
            "mode": "live",
            "api_key": "env:K",
            "webhook_secrets": [f"env:W{n}" for n in range(len(secrets))],
        }
    )
    return open_verifier(account, lambda name: secrets[int(name[-1])], others=OTHERS)


def rewritten() -> tuple[bytes, str]:
    """As Stripe writes it, and as a proxy that parses JSON hands it on."""
    return json.dumps(event(1)).encode(), sign(json.dumps(event(1), indent=2).encode())


@pytest.mark.parametrize(
    ("secret", "content", "header", "kind", "said"),
    [
        (SECRET, body(1), sign(body(1), "whsec_rolled"), "signature", "another stored secret"),
        (SECRET, body(1), sign(body(1), "whsec_of_test"), "mode", "the other mode: stripe-test"),
        (SECRET, body(1), sign(body(1), "whsec_of_shop2"), "signature", "another account: stripe-shop2"),
        (CLI, body(1), sign(body(1), "whsec_endpoint"), "signature", "`stripe listen`"),
        (SECRET, *rewritten(), "signature", "before somebody rewrote it"),
        (SECRET, body(1) + b"\n", sign(body(1)), "signature", "before somebody rewrote it"),
        (
            SECRET,
            body(1),
            sign(body(1), "a") + "," + sign(body(1), "b").partition(",")[2],
            "signature",
            "two signatures",
        ),
        (SECRET, body(1), sign(body(1), at=T0 - 900), "timestamp", "older than 5 minutes"),
        (SECRET, body(1), sign(body(1), at=T0 + 900), "timestamp", "in the future"),
        (SECRET, body(1), sign(body(1), "whsec_nobody"), "signature", "none of the stored"),
    ],
)
def test_each_cause_is_named_with_its_fix_and_the_sender_learns_nothing(
    sender, store, verifiers, caplog, secret, content, header, kind, said
):
    verifiers[ACCOUNT] = stripe(secret)
    with caplog.at_level(logging.WARNING):
        assert sender.request("POST", f"/webhooks/{ACCOUNT}", content, {"Stripe-Signature": header}) == (
            400,
            b'{"error":"not accepted"}',
        )
    ((counted, reason, n),) = store.inbox.refused_since(ACCOUNT, NOW)
    assert (counted, n) == (kind, 1) and said in reason
    fix = fix_of(reason)
    assert fix is not None and fix in caplog.text and said in caplog.text
    (told,) = signatures.explained(store, ACCOUNT, NOW)
    assert (told.reason, told.count, told.fix) == (reason, 1, fix)


def test_the_log_says_a_reason_once_a_minute(sender, clock, caplog):
    for _ in range(3):
        sender.post(body(1), sign(body(1), "whsec_nobody"))
    assert caplog.text.count("webhook refused") == 1
    clock.forward(minutes=1)
    sender.post(body(1), sign(body(1), "whsec_nobody", at=T0 + 60))
    assert caplog.text.count("webhook refused") == 2


def test_anybody_may_send_so_only_so_much_is_explained_a_minute():
    judge = stripe(SECRET)
    content, header = rewritten()
    reasons = [judge.verify(content, {"stripe-signature": header}, NOW).reason for _ in range(40)]
    assert [each.startswith("the signature fits the body") for each in reasons] == [True] * 30 + [False] * 10
    later = judge.verify(content, {"stripe-signature": sign(body(2))}, NOW + timedelta(minutes=2))
    assert "none of the stored" in later.reason


def test_no_two_causes_begin_alike():
    said = [cause.said for cause in CAUSES]
    assert not [(a, b) for a in said for b in said if a != b and a.startswith(b)]


@pytest.fixture(scope="module")
def providers(tmp_path_factory):
    made = Providers(tmp_path_factory.mktemp("world"))
    yield made
    for server in made.servers:
        server.stop()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("mode", "kind"), [("test", "mode"), ("live", "signature")])
def test_the_account_whose_secret_it_is_is_named_at_every_provider(
    providers, sender, store, clock, front, provider, mode, kind
):
    """A second account of the provider has what the webhook is signed with; the one it is sent to has not."""
    sent = providers.sent(provider)
    settings = providers.settings
    (right,) = [each for each in settings.accounts if each.provider == provider]
    wrong = right.model_copy(
        update={"webhook_secrets": ("env:OTHER",), "webhook_id": "env:OTHER", "fallback_credentials": ()}
        | ({"public_key": "env:OTHER", "private_key": "env:OTHER"} if provider == "braintree" else {})
    )
    beside = right.model_copy(update={"name": f"{provider}-two", "mode": mode})
    known = providers.outside.secrets
    outside = replace(
        providers.outside, secrets=lambda name: "whsecOTHER123" if name == "env:OTHER" else known(name)
    )
    changed = settings.model_copy(update={"accounts": (wrong, beside)})
    app, _ = front
    app.receiver = Receiver(store, open_verifiers(changed, outside, store), clock)
    assert post(sender, sent) == 400
    ((counted, reason, _),) = store.inbox.refused_since(sent.account, NOW)
    assert counted == kind and reason.endswith(f": {provider}-two") and fix_of(reason)
    app.receiver.close()


def test_a_form_whose_plus_signs_became_spaces_is_named(providers, sender, store, receiver, clock, front):
    sent = providers.sent("braintree")
    app, _ = front
    app.receiver = Receiver(store, open_verifiers(providers.settings, providers.outside, store), clock)
    spoiled = sent.body.replace(b"%2B", b"+")
    if spoiled == sent.body:
        text = base64.b64encode(b"\xfb\xef\xbe").decode()
        spoiled = sent.body.partition(b"bt_payload=")[0] + b"bt_payload=" + text.encode()
    assert post(sender, replace(sent, body=spoiled)) == 400
    ((_, reason, _),) = store.inbox.refused_since(sent.account, NOW)
    assert "rewrote" in reason
    app.receiver.close()
