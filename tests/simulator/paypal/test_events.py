"""The list of events: order, pages, lateness, transmissions, resending and simulating."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from paypalrestsdk.exceptions import ResourceNotFound

EVENTS = "v1/notifications/webhooks-events"


def test_pages_hold_every_event_once_newest_first(shop):
    live = shop(
        warmup="45m",
        faults="[{kind: authorization_expiring, provider: paypal, at: 1m},"
        " {kind: dispute_opened, provider: paypal, at: 1m, count: 3}]",
    )
    live.after(minutes=1, seconds=10)
    pages = live.events("&page_size=7")
    ids = [event["id"] for event in pages]
    assert len(set(ids)) == len(ids) > 300
    times = [event["create_time"][:19] for event in pages]
    assert times == sorted(times, reverse=True)
    made = {event.id for event in live.account.events.rows if event.at_ms <= live.world.now_ms - 3_000}
    assert set(ids) == made


def test_pages_stay_whole_while_events_come_in(shop):
    live = shop()
    first = live.api.get(f"{EVENTS}?page_size=50")
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    live.after(minutes=10)
    second = live.api.get(following.partition("paypal.com/")[2])
    assert not {e["id"] for e in first["events"]} & {e["id"] for e in second["events"]}
    assert max(e["create_time"] for e in second["events"]) <= first["events"][-1]["create_time"]


def test_next_link_leads_to_paypals_host_with_the_same_question(shop):
    live = shop()
    page = live.api.get(f"{EVENTS}?page_size=2&event_type=PAYMENT.CAPTURE.COMPLETED")
    link = next(each["href"] for each in page["links"] if each["rel"] == "next")
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc) == ("https", "api.paypal.com")
    asked = parse_qs(parts.query)
    assert asked["event_type"] == ["PAYMENT.CAPTURE.COMPLETED"]
    assert asked["page_size"] == ["2"]
    assert page["count"] == len(page["events"]) == 2


def test_filters_by_time_type_and_transaction(shop):
    live = shop()
    window = "&start_time=2026-01-15T08:40:00Z&end_time=2026-01-15T08:50:00.5Z"
    found = live.events(window)
    assert found
    assert all("2026-01-15T08:40:00" <= e["create_time"] <= "2026-01-15T08:50:00.500Z" for e in found)
    capture = live.newest("PAYMENT.CAPTURE.COMPLETED")["resource"]["id"]
    (only,) = live.events(f"&transaction_id={capture}")
    assert only["resource"]["id"] == capture


def test_event_appears_with_a_short_delay(shop):
    live = shop()
    before = len(live.account.events)
    while len(live.account.events) == before:
        live.world.advance_ms(live.world.now_ms + 500)
    newest = live.account.events.rows[-1]
    assert newest.id not in [event["id"] for event in live.events()[:10]]
    live.world.advance_ms(newest.at_ms + 3_000)
    assert newest.id in [event["id"] for event in live.events()[:10]]


def test_events_are_kept_for_30_days(shop):
    live = shop(rate=0.01, warmup="10h", seed=4)
    first = live.events()[-1]["id"]
    live.after(days=29)
    client = live.client(live.stored)
    assert client.get(f"{EVENTS}/{first}")["id"] == first
    live.after(days=31)
    live.api = live.client(live.stored)
    with pytest.raises(ResourceNotFound):
        live.api.get(f"{EVENTS}/{first}")
    assert live.events()[-1]["id"] != first


def test_doubled_path_of_the_sdks_defect_is_not_found(shop):
    live = shop()
    event = live.events()[0]["id"]
    with pytest.raises(ResourceNotFound):
        live.api.get(f"{EVENTS}/{event}/{event}")


def test_transmissions_follow_what_becomes_of_deliveries(shop, receiver):
    live = shop(receiver=receiver.url, rate=12, warmup="5m")
    receiver.status = 500
    live.after(minutes=1)
    event = live.account.deliveries.ready()[0].event
    path = f"{EVENTS}/{event.id}"
    assert [t["status"] for t in live.api.get(path)["transmissions"]] == ["PENDING"]
    live.deliver()
    shown = live.api.get(path)
    (failed,) = shown["transmissions"]
    assert (shown["status"], failed["status"], failed["http_status"]) == ("FAILURE", "FAILURE", 503)
    assert failed["webhook_url"] == "https://paypal.sim/webhooks/paypal-live"
    receiver.status = 200
    live.after(minutes=5)
    live.deliver()
    shown = live.api.get(path)
    (sent,) = shown["transmissions"]
    assert (shown["status"], sent["status"], sent["http_status"]) == ("SUCCESS", "SUCCESS", 200)
    assert sent["transmission_id"] != failed["transmission_id"]
    last = [headers for _, body, headers in receiver.got if event.id.encode() in body][-1]
    assert last["paypal-transmission-id"] == sent["transmission_id"]


def test_resend_brings_an_event_that_was_lost(shop, receiver):
    live = shop(
        receiver=receiver.url,
        rate=12,
        warmup="5m",
        faults="[{kind: events_lost, provider: paypal, at: 0s, until: 5m, share: 1}]",
    )
    live.after(minutes=5)
    live.deliver()
    assert receiver.got == []
    event = live.newest("PAYMENT.CAPTURE.COMPLETED")
    assert event["status"] == "SUCCESS", "PayPal believes it was delivered"
    answer = live.raw(
        "POST", f"/{EVENTS}/{event['id']}/resend", json={"webhook_ids": [live.stored["webhook_id"]]}
    )
    assert (answer.status_code, answer.json()["id"]) == (202, event["id"])
    live.after(minutes=5)
    live.deliver()
    assert sum(event["id"].encode() in body for _, body, _ in receiver.got) == 1


def test_resend_leaves_alone_what_is_still_to_come(shop, receiver):
    live = shop(receiver=receiver.url, rate=12, warmup="5m")
    live.after(minutes=1)
    event = live.account.deliveries.ready()[0].event
    live.api.post(f"{EVENTS}/{event.id}/resend", {})
    live.after(seconds=61)
    live.deliver()
    assert sum(event.id.encode() in body for _, body, _ in receiver.got) == 1


def test_resend_to_a_webhook_that_is_not_ours_is_refused(shop):
    live = shop()
    event = live.events()[0]["id"]
    answer = live.raw("POST", f"/{EVENTS}/{event}/resend", json={"webhook_ids": ["NOSUCHWEBHOOK"]})
    assert (answer.status_code, answer.json()["name"]) == (400, "VALIDATION_ERROR")


def test_what_nobody_subscribed_to_is_not_in_the_list(shop):
    kind = "PAYMENT.CAPTURE.COMPLETED"
    live = shop(
        faults="[{kind: webhook_event_type_unsubscribed, provider: paypal, at: 5m, until: 20m}]",
        rate=12,
        warmup="5m",
    )
    live.after(minutes=20)
    times = [e["create_time"] for e in live.events() if e["event_type"] == kind]
    assert not [at for at in times if "2026-01-15T09:05" < at < "2026-01-15T09:20"]
    (webhook,) = live.api.get("v1/notifications/webhooks")["webhooks"]
    assert kind in [each["name"] for each in webhook["event_types"]]
    live.after(minutes=30)
    assert live.newest(kind)["create_time"] > "2026-01-15T09:25"
    made = [e for e in live.account.events.rows if e.type == kind and e.at_ms > live.account.start_ms]
    assert len(made) > len([at for at in times if at > "2026-01-15T09:00"])


def test_resource_of_each_type_is_the_object_itself(shop):
    live = shop(
        success=0.7,
        warmup="3h",
        faults="[{kind: dispute_opened, provider: paypal, at: 1m},"
        " {kind: subscription_past_due, provider: paypal, at: 1m, count: 2},"
        " {kind: authorization_expiring, provider: paypal, at: 1m}]",
    )
    live.after(minutes=3)
    paths = {
        "capture": "v2/payments/captures/{id}",
        "authorization": "v2/payments/authorizations/{id}",
        "refund": "v2/payments/refunds/{id}",
        "subscription": "v1/billing/subscriptions/{id}",
        "dispute": "v1/customer/disputes/{dispute_id}",
        "sale": "v1/payments/sale/{id}",
    }
    seen = set()
    for event in live.events():
        kind = event["resource_type"]
        if kind in seen or kind not in paths:
            continue
        seen.add(kind)
        shown = live.api.get(paths[kind].format(**event["resource"]))
        assert set(event["resource"]) <= set(shown)
    assert seen >= {"capture", "authorization", "refund", "subscription", "dispute"}
