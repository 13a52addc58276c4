from __future__ import annotations

from payops.rulebook.templates import render


def test_a_provider_is_written_as_people_write_it_and_nothing_else_is() -> None:
    labels = {"account": "paypal", "provider": "paypal"}
    assert render("{provider} rejects {account}", labels) == "PayPal rejects paypal"
    assert render("{provider}", {"provider": "braintree"}) == "Braintree"
    assert render("{provider}", {"provider": "acme"}) == "acme"
