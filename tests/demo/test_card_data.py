"""Card data that a shop writes beside its purchases reaches people, and no file."""

from __future__ import annotations

from pathlib import Path

from payops.demo.headless import run
from payops.simulator import scenario as scenarios
from payops.store import Store

SCENARIO = """
schema: payops.scenario/v1
name: card data at all three
warmup: 10m
duration: 6m
providers:
  stripe: {mode: live}
  braintree: {mode: live}
  paypal: {mode: live}
faults:
  - {kind: pan_in_metadata, provider: stripe, at: 30s, count: 3}
  - {kind: cvv_in_webhook, provider: stripe, at: 60s, count: 2}
  - {kind: pan_in_metadata, provider: braintree, at: 30s, count: 3}
  - {kind: pan_in_metadata, provider: paypal, at: 30s, count: 2}
  - {kind: cvv_in_webhook, provider: paypal, at: 70s, count: 2}
"""


def test_no_byte_of_the_store_holds_what_was_found_and_every_handoff_says_where(tmp_path: Path) -> None:
    path = tmp_path / "payops.db"
    document = run(scenarios.parse(SCENARIO, "cards.yaml"), 5, path, judged=False).document
    incidents = document["incidents"]
    assert [(each["rule"], each["severity"], each["level"], each["state"]) for each in incidents] == [
        ("card-data-found", "sev1", 3, "open")
    ] * 3
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for number in (b"4242424242424242", b"4242 4242 4242 4242"):
        assert number not in written
    with Store.open_existing(path) as store:
        for incident in incidents:
            (handoff,) = incident["handoffs"]
            assert handoff["to"] == "security-coordinator"
            assert handoff["sent_at"] == incident["opened_at"]
            found = store.findings.listing(incident["account"])
            assert any(each.field in handoff["problem"] for each in found)
            assert "webhook" in handoff["attempted"] or "feed" in handoff["attempted"]
            assert all(each.seal for each in found if each.kind == "pan")
