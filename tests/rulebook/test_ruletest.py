from __future__ import annotations

from xml.etree import ElementTree

import pytest
from proof import FULL

from payops.engine import ruletest_run
from payops.engine.junit import junit
from payops.engine.ruletest import check, covered, run
from payops.engine.ruletest_run import play
from payops.rulebook import load, shipped_dir

RULES = load([shipped_dir()])


def test_shipped_rules_pass_their_own_tests():
    results = run([shipped_dir()])
    assert {result.rule for result in results} == set(RULES.ids)
    assert [f"{result.rule}: {result.name}: {result.why}" for result in results if not result.ok] == []


def test_shipped_rules_are_covered():
    assert [str(problem) for problem in check([shipped_dir()])] == []


def shipped(name: str, *replace: tuple[str, str]) -> str:
    text = (shipped_dir() / f"{name}.yaml").read_text("utf-8")
    for old, new in replace:
        assert old in text
        text = text.replace(old, new, 1)
    return text


MUTANTS = [
    ("webhook-endpoint-disabled", 'when: ["!disabled", "!ours || missing == 0"]', 'when: ["disabled"]', "is enabled"),
    ("webhook-endpoint-disabled", "attempts: 2", "attempts: 1", "once more"),
    ("webhook-endpoint-disabled", "l1_exhausted || open_for", "open_for", "once more"),
    ("webhook-endpoint-disabled", "duration('24h')", "duration('48h')", "for a day"),
    ("webhook-endpoint-disabled", '["decision_requested"]', '["level >= 4"]', "user decides"),
    ("webhook-events-missing", "missing >= 5", "missing >= 4", "a few"),
    ("webhook-events-missing", "missing_oldest_s > 300", "missing_oldest_s > 100", "a few"),
    ("webhook-events-missing", "for: 1m", "for: 0s", "payops fixed it"),
    ("webhook-events-missing", "duration('60m')", "duration('20m')", "a receiver"),
    ("webhook-events-missing", "missing >= 500", "missing >= 5000", "will not resend"),
    ("success-rate-drop", "evidence >= 1.0", "evidence >= 0.5", "bad luck"),
    ("success-rate-drop", "for: 2m", "for: 30m", "a surge"),
    ("success-rate-drop", "evidence < 1.0", "evidence < 100.0", "a surge"),
    ("decline-code-surge", "failed_since >= 8", "failed_since >= 4", "a handful"),
    ("decline-code-surge", "for: 5m", "for: 15m", "a code that surges"),
    ("card-testing", "security-coordinator", "tech-lead-orchestrator", "an attack"),
    ("card-testing", "evidence >= 1.0", "evidence >= 0.5", "a few small"),
    ("success-rate-drop", "rate_15m < 0.25 * expected", "rate_15m < 0.05 * expected", "almost nothing"),
    ("success-rate-drop", "rate_15m < 0.5 * expected", "rate_15m < 0.05 * expected", "almost nothing"),
    ("credentials-rejected", "on_no_data: hold", "on_no_data: fire", "neither way"),
    ("credentials-rejected", "on_no_data: hold", "on_no_data: resolve", "neither way"),
    ("wrong-mode-credential", 'when: ["wrong_mode"]', 'when: ["accepted"]', "takes over"),
    ("credentials-rejected", "application_failing", "expired", "worse"),
    ("permission-missing", "missing > 0 ||", "missing > 5 ||", "scope"),
    ("permission-missing", "!nameable || missing == 0", "missing == 0", "names nothing"),
    ("wrong-mode-webhook-secret", "since_good >= 3", "since_good >= 0", "strays"),
    ("wrong-mode-webhook-secret", "other_since_good >= 5", "other_since_good >= 50", "rare"),
    ("wrong-mode-webhook-secret", '"missing == 0"], within', '"missing == 1"], within', "Braintree"),
    ("webhook-signature-failing", "signature_15m >= 3 && since_good >= 3", "signature_15m >= 3", "made-up"),
    ("webhook-events-missing", "action: webhooks.reconcile", "action: webhooks.resend_missing", "sent again"),
    ("webhook-signature-failing", "!listed && since_good >= 2", "!listed && since_good >= 9", "sends little"),
    ("mode-mixed-objects", "for: 6m", "for: 1m", "kept apart"),
    ("mode-mixed-objects", "unconfirmed_1h >= 50", "unconfirmed_1h >= 500", "does not stop"),
    ("provider-outage", "outage_run >= 4", "outage_run >= 5", "a few calls"),
    ("provider-outage", "outage_share >= 0.5", "outage_share >= 0.1", "single"),
    ("provider-slow", "p50_ms >= 1000", "p50_ms >= 100", "single slow"),
    ("provider-slow", "slow >= 1.0", "slow >= 0.1", "always slow"),
    ("provider-unreachable", "network_share >= 0.5", "network_share >= 0.1", "single"),
    ("provider-rate-limited", "rate_limited_share >= 0.3", "rate_limited_share >= 0.5", "some calls"),
    ("clock-skew", "skew_s <= -60", "skew_s <= -600", "ahead"),
    ("gateway-rejections", "> 20.0 * usual_upper", "> 2.0 * usual_upper", "chance"),
    ("gateway-rejections", "share_15m >= 0.5", "share_15m >= 0.9", "most are stopped"),
    ("account-restricted", "l1_exhausted ||", "l1_waiting ||", "straight"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "notices"), MUTANTS, ids=[f"{m[0]}: {m[2][:40]}" for m in MUTANTS]
)
def test_a_rule_that_judges_otherwise_fails_its_tests(write, name, old, new, notices):
    results = run([write(shipped(name, (old, new)))], notices)
    assert results
    assert not all(result.ok for result in results), "no test noticed"


def test_uncovered_parts_are_named_at_their_place(rule_text, write):
    path = write(rule_text)
    found = [str(problem).removeprefix(f"{path}:") for problem in check([path])]
    assert found == [
        "29:11: not covered: no test takes this way to Level 2",
        "30:12: not covered: no test takes this way to Level 3",
        "8:9: not covered: no test expects anything while there is no data: add a series with _",
        "14:10: not covered: no test sees the rule's own condition resolve the incident",
    ]


def test_rule_without_tests_is_refused_by_check_and_loads(rule_text, write):
    path = write(rule_text[: rule_text.index("tests:")])
    assert "has no tests" in str(check([path])[0])
    assert len(load([path])) == 1
    assert run([path]) == []


def test_unmet_expectation_says_when_what_and_the_last_event(rule_text, write):
    path = write(rule_text.replace("{at: 3m, state: open}", "{at: 3m, state: resolved}"))
    (result,) = run([path])
    assert not result.ok
    assert result.why.startswith("at 3m: state is open, expected resolved (last: ")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("state: open}", "state: open, severity: sev1}", "severity is sev3, expected sev1"),
        ("state: open}", "state: open, level: 3}", "level is 1, expected 3"),
        ("state: open}", "attempts: 2}", "attempts is 1, expected 2"),
        ("state: open}", "incidents: 2}", "incidents is 1, expected 2"),
        ("state: open}", "handoff_to: user}", "handed to nobody, expected user"),
        ("state: open}", "ended_as: false_alarm}", "ended_as is None, expected false_alarm"),
        ("[ok]}", "[ok]}\n    operators: [{at: 1m, do: ack}]", "demo ack: "),
        ("[ok]}", "[ok]}\n    operators: [{at: 3m, do: ack, by: eve}]", "'eve' is not listed"),
        ("mode: live", "mode: staging", "its labels make no account"),
    ],
)
def test_every_kind_of_wrong_expectation_fails(rule_text, write, old, new, says):
    (result,) = run([write(rule_text.replace(old, new))])
    assert not result.ok
    assert says in result.why


def test_bad_file_is_a_failed_test(write):
    (result, *_) = run([write("id: 5")])
    assert (result.ok, result.rule) == (False, "rule.yaml")
    assert "lacks 'schema'" in " ".join(each.why for each in run([write("id: 5")]))
    assert "lacks 'schema'" in " ".join(str(each) for each in check([write("id: 5")]))


def test_pattern_chooses_by_rule_or_name(rule_text, write):
    path = write(rule_text)
    assert len(run([path], "EVENTS-missing")) == 1
    assert len(run([path], "opens")) == 1
    assert run([path], "nothing like it") == []


def test_rule_tests_are_the_same_every_time():
    path = shipped_dir() / "webhook-endpoint-disabled.yaml"
    first, second = ([(r.name, r.ok, r.why) for r in run([path], "provider refuses")] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("outcome", "ended"),
    [
        ("ok", "fixed_by_payops"),
        ("timeout_applied", "fixed_by_payops"),
        ("rejected", "self_healed"),
        ("timeout_lost", "self_healed"),
    ],
)
def test_scripted_outcomes_reach_the_ending(rule_text, write, outcome, ended):
    text = rule_text.replace("[ok]", f"[{outcome}]").replace(
        "[{at: 3m, state: open}]", f"[{{at: 12m, state: resolved, ended_as: {ended}}}]"
    )
    (result,) = run([write(text)])
    assert result.ok, result.why


def test_silence_and_maintenance_are_tried_in_the_file_and_nothing_acts_meanwhile(rule_text, write):
    quiet = """
  - name: a silence keeps it in the list and lets nothing act
    every: 1m
    labels: {account: a, provider: stripe, mode: live, endpoint: shop, topology: observer}
    series: {missing: "0x2 7x60"}
    actions: {webhooks.resend_missing: [ok]}
    maintenance: [{from: 0m, until: 10m}]
    operators: [{at: 9m, do: silence, for: 20m, reason: deploy}]
    expect:
      - {at: 3m, state: open, attempts: 0}
      - {at: 3m, state: silenced}
      - {at: 28m, state: silenced, attempts: 0, level: 1}
      - {at: 30m, attempts: 1}
"""
    path = write(rule_text + quiet)
    assert [result.why for result in run([path])] == ["", ""]
    (bad,) = [
        r.why
        for r in run(
            [write(rule_text + quiet.replace("{at: 30m, attempts: 1}", "{at: 30m, state: silenced}"))]
        )
        if r.why
    ]
    assert "expected silenced" in bad


def test_junit_has_one_suite_for_each_rule_and_says_why_a_test_failed(rule_text, write):
    wrong = rule_text.replace("state: open}", "state: clear}")
    document = ElementTree.fromstring(junit(run([write(wrong)])))
    assert document.attrib["tests"] == "1"
    assert document.attrib["failures"] == "1"
    (suite,) = document
    (case,) = suite
    assert (suite.attrib["name"], case.attrib["classname"]) == ("events-missing", "events-missing")
    assert "expected clear" in case[0].attrib["message"]


def test_coverage_counts_what_the_tests_that_ran_exercised(rule_text, write):
    (parts,) = covered(run([write(rule_text)])).values()
    assert [(part.kind, part.covered) for part in parts] == [
        ("remedy", True),
        ("way up", False),
        ("way up", False),
        ("no data", False),
        ("resolve", False),
    ]


def test_steps_jumped_over_would_have_changed_nothing(monkeypatch):
    """Every eighth shipped test, or all of them in a full proof, with and without jumping."""
    tests = [(rule, test) for rule in RULES for test in rule.tests][:: 1 if FULL else 8]
    stories: list[list[object]] = []

    def telling(run: ruletest_run._Run) -> str:
        why = played(run)
        incidents = run._store.incidents.listing()
        stories.append([(each, run._store.incidents.timeline(each.id)) for each in incidents])
        return why

    played = ruletest_run._Run.play
    monkeypatch.setattr(ruletest_run._Run, "play", telling)
    jumping = [play(rule, test) for rule, test in tests]
    monkeypatch.setattr(ruletest_run._Run, "_jumped", lambda self, now: None)
    assert [play(rule, test) for rule, test in tests] == jumping
    assert stories[: len(tests)] == stories[len(tests) :]
