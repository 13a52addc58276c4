"""The quick look at a body masks what the full one does, whatever is in it."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof import tried

from payops.store.quick_look import _quickly, mask_body
from payops.store.redaction import Hunt, redact_body

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "stripe" / "openapi_fixtures3.json"

RISKY = (
    "4242424242424242",
    "4242 4242 4242 4242",
    "pan:4242-4242-4242-4242",
    "\uff14\uff12\uff14\uff12\uff14\uff12\uff14\uff12\uff14\uff12\uff14\uff12\uff14\uff12\uff14\uff12",
    "424242424242",
    "4242",
    "%B4242424242424242^DOE/JANE^29011010000?",
    ";4242424242424242=29011010000",
    "cvc",
    "CVV2",
    "security code",
    "card-code",
    "cvc 123",
    "cvv: ",
    "123",
    "track_1_data",
    "client_secret",
    "pi_3Pg_secret_abcdefgh",
    "sk_live_abcdefgh1234",
    "whsec_abcdefgh",
    "Bearer abcdefghijklmnop",
    "-----BEGIN PRIVATE KEY-----",
    "ann.lee@example.com",
    "to ann.lee@example.com and bob@example.org",
    "@",
    "a@b.example 4242424242424242",
    "ch_3PgafyB7WZ01zgkW4242424242424242",
    b64encode(b"card 4242424242424242 of mine").decode(),
    b64encode(b"write to ann.lee@example.com").decode(),
    "<pan>4242424242424242</pan>",
    "pan=4242%204242%204242%204242&cvc=123",
    "4111&#49;11111111111",
    "4111 1111 1111 1112",
    "P-5ML4271244454362WXNWU5NQ",
    "2026-11-23T10:15:00.123456Z",
    "Müller \u4e2d",
    'a "quoted" word',
    "C:\\new\nline",
    "\x00",
    "",
)
NAMES = ("id", "amount", "metadata", "note", "order_id", "card", "email", "number", "created_at", *RISKY)

texts = st.sampled_from(RISKY) | st.text(max_size=12)
values = (
    st.none()
    | st.booleans()
    | texts
    | st.sampled_from((4242424242424242, 5555555555554444, 123, 42.5, 1e300, -4242424242424242, 10**18))
)
documents = st.dictionaries(
    st.sampled_from(NAMES) | st.text(max_size=6),
    st.recursive(
        values,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=6), inner, max_size=4)
        ),
        max_leaves=8,
    ),
    max_size=5,
)
writers = st.sampled_from(
    (
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        lambda value: json.dumps(value, ensure_ascii=False, indent=2),
    )
)


@tried(20_000, 200)
@given(documents, writers)
def test_quick_look_masks_what_the_full_look_does(document, written):
    body = written(document)
    masked, found = mask_body(body, Hunt())
    in_full, all_found = redact_body(body)
    assert json.loads(masked) == json.loads(in_full)
    others = [finding for finding in all_found if finding.kind != "email"]
    assert [finding for finding in found if finding.kind != "email"] == others


@tried(5_000, 100)
@given(st.lists(st.sampled_from((*RISKY, "{", "}", '"', ":", ",", "cvv 123", "{oops ", "\\")), max_size=12))
def test_what_is_no_json_is_masked_as_text(pieces):
    body = "{" + "".join(pieces)
    try:
        json.loads(body)
    except ValueError:
        assert mask_body(body, Hunt())[0] == redact_body(body)[0]


@pytest.mark.parametrize(
    "body",
    [
        '{"cvc":123}',
        '{"note":"cvc 123"}',
        '{"CVV":"123"}',
        '{"card.code":"123"}',
        '{"a":4242424242424242}',
        '{"a":"\\u0034242424242424242"}',
        '{"a":["pay_secret_key","pi_1234_secret_12345678"]}',
        '{"4242424242424242":1}',
        '{"a":"b\x00"}',
        '{"a":"b\ud800"}',
    ],
)
def test_a_suspicion_is_looked_at_in_full(body):
    assert _quickly(body) is None
    assert mask_body(body, Hunt()) == redact_body(body)


def test_most_events_of_a_provider_need_no_full_look():
    if not SAMPLES.exists():
        pytest.skip(f"sample payloads are not on this machine: {SAMPLES.name}")
    resources = json.loads(SAMPLES.read_text())["resources"]
    resources["charge"].pop("source")  # of an older API, with a secret in it
    for kind in ("charge", "refund", "dispute", "payout"):
        event = {"id": "evt_1PgafuB7", "data": {"object": resources[kind]}}
        assert _quickly(msgspec.json.encode(event).decode()) is not None
