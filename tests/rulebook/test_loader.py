from __future__ import annotations

import time

import pytest
import yaml

from payops.rulebook import Rule, RuleFileErrors, load, shipped_dir

# (what is replaced, by what, where the mistake stands, what the message says)
TYPOS = [
    (
        "severity: sev3",
        "severity: sev9",
        "12:13",
        "'sev9' is not one of sev1, sev2, sev3, sev4 (did you mean",
    ),
    ("severity: sev3", "severty: sev3", "12:3", "unknown key 'severty' (did you mean 'severity'?)"),
    (
        "severity: sev3",
        "severty: sev3",
        "10:3",
        "fire lacks 'severity': add `severity:`; is 'severty' meant?",
    ),
    ("status: stable", "status: stabel", "5:9", "(did you mean 'stable'?)"),
    ("status: stable", "statu: 1", "5:1", "unknown key 'statu' (did you mean 'status'?)"),
    ("payops.rule/v1", "payops.rule/v2", "1:9", "'payops.rule/v2' is not one of payops.rule/v1"),
    ("id: events-missing", "id: Events Missing", "2:5", "is not a name: write lower-case letters"),
    ("id: events-missing", "id: 5", "2:5", "5 is not text: put it in quotes"),
    ("challenge: webhook_miss", "challenge: webhooks", "3:12", "'webhooks' is not one of"),
    ("for: 1m", "for: 60", "11:8", "60 is not a duration: write 60s, 60m or 60h"),
    ("for: 1m", "for: '60'", "11:8", "did you mean '60s'?"),
    ("for: 1m", "for: 1:30", "11:8", "'1:30' is not a duration"),
    ('when: ["missing >= 5"]', 'when: "missing >= 5"', "10:9", "is not a list"),
    ('when: ["missing >= 5"]', "when: []", "10:9", "needs at least 1 entries"),
    ('when: ["missing >= 5"]', 'when: ["mising >= 5"]', "10:11", "did you mean 'missing'?"),
    ('when: ["missing >= 5"]', 'when: ["missing >= 5.5"]', "10:19", "int and double do not mix"),
    ('when: ["missing >= 5"]', 'when: ["missing >= 5", "a = b"]', "10:29", "to compare write =="),
    ('when: ["missing >= 5"]', 'when: ["1 < 2"]', "10:10", "names no field"),
    ('when: ["missing == 0"], for: 2m', 'when: ["true"], for: 2m', "14:18", "names no field"),
    ("{to: sev2,", "{to: sev4,", "13:22", "sev4 is not more severe than the rule's sev3"),
    ('["missing >= 50"]', '["l1_exhausted"]', "13:36", "unknown name 'l1_exhausted'"),
    ("source: webhooks", "source: webhook", "8:18", "no signal 'webhook' (did you mean 'webhooks'?)"),
    ("group_by: [account, endpoint]", "group_by: [account]", "8:38", "write [account, endpoint]"),
    ("on_no_data: hold", "on_no_data: keep", "8:71", "is not one of hold, fire, resolve"),
    (
        "dedup_key: [account, endpoint]",
        "dedup_key: [account]",
        "17:14",
        "two groups would share one incident",
    ),
    (
        "dedup_key: [account, endpoint]",
        "dedup_key: [acount, account, endpoint]",
        "17:15",
        "did you mean 'account'?",
    ),
    ("reopen_within: 2h", "reopen_within: 2d", "18:18", "at most 1d: after that it is a new incident"),
    ("at {endpoint}", "at {endpiont}", "4:27", "no label 'endpiont' (did you mean 'endpoint'?)"),
    ("at {endpoint}", "at {endpoint.__class__}", "4:27", "no label 'endpoint.__class__'"),
    ("at {endpoint}", "at {endpoint", "4:27", "a lone '{'"),
    ("attempts: 2,", "attempts: 3,", "20:22", "3 is more than 2, the most allowed"),
    ("attempts: 2,", "attempts: 99999999999999999999999,", "20:22", "is too large"),
    ("attempts: 2,", "attempts: 0,", "20:22", "0 is less than 1"),
    ("attempts: 2,", "attempts: true,", "20:22", "true is not a whole number"),
    ("timeout: 5m", "timeout: 6m", "20:34", "at most 5m: Level 1 hands over after that"),
    (
        "action: webhooks.resend_missing",
        "action: webhooks.resend",
        "23:15",
        "did you mean 'webhooks.resend_missing'?",
    ),
    ("action: webhooks.resend_missing", "action: rm -rf /", "23:15", "known: webhooks.enable_endpoint"),
    ("effect: external", "effect: read", "24:15", "webhooks.resend_missing is external, not read"),
    ("effect: external", "effect: money", "24:15", "effect money needs approval"),
    ("lock: [account]", "lock: [acount]", "25:23", "did you mean 'account'?"),
    ("retry_on: [rate_limit]", "retry_on: [network]", "26:18", "read back first, never repeated"),
    ("retry_on: [rate_limit]", "retry_on: [timeout]", "26:18", "'timeout' is not one of auth, permission"),
    (
        "role: integration-coordinator",
        "role: integration-cordinator",
        "29:42",
        "did you mean 'integration-coord",
    ),
    ("role: integration-coordinator", "role: tech-lead-orchestrator", "29:42", "is not a Level 2 role"),
    ("role: tech-lead-orchestrator", "role: backend-coordinator", "30:57", "is not a Level 3 role"),
    ("open_for > duration('24h')", "open_for > 24", "30:30", "write a duration as duration('30m')"),
    ("{account: a, ", "{acount: a, ", "34:14", "did you mean 'account'?"),
    ("topology: observer}", "topologie: x}", "34:13", "lacks topology"),
    ("series: {missing:", "series: {mising:", "35:14", "did you mean 'missing'?"),
    ("0x2 7x5 0x10", "0x2 7.5x5", "35:23", "'7.5' is not an int"),
    ("0x2 7x5 0x10", "0x999999", "35:23", "more than 5000 samples"),
    (
        "actions: {webhooks.resend_missing: [ok]}",
        "actions: {webhooks.enable_endpoint: [ok]}",
        "36:15",
        "no action",
    ),
    ("[ok]", "[okay]", "36:41", "'okay' is not one of ok, rejected"),
    ("{at: 3m, state: open}", "{at: 3m}", "37:14", "expects nothing"),
    ("{at: 3m, state: open}", "{at: 3m, state: opened}", "37:30", "(did you mean 'open'?)"),
    ('runbook: "Look at the receiver first."', 'runbook: " "', "7:10", "is blank"),
    ("status: stable", "status: stable\nstatus: draft", "6:1", "'status' is written twice, first in line 5"),
    ("status: stable", "status: &s stable", "5:9", "the anchor '&s' is not allowed"),
    ("status: stable", "status: *s", "5:9", "the alias '*s' is not allowed"),
    ("status: stable", "status: !!str stable", "5:9", "the tag"),
    ("status: stable", "status: stable\n---\nid: other", "6:1", "a second document"),
    ("status: stable", "\tstatus: stable", "5:1", "spaces, not tabs"),
    ("status: stable", "status: sta: ble", "5:12", "put text with ': ' in it in quotes"),
    ("status: stable", "status: \x07", "5:9", "a control character"),
    (
        "status: stable",
        "status: {a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: {q: 1}}}}}}}}}}}}}}}}}",
        "5:73",
        "nested more than 16 deep",
    ),
]


@pytest.mark.parametrize(("old", "new", "place", "says"), TYPOS, ids=[f"{case[1][:40]}" for case in TYPOS])
def test_every_mistake_is_named_at_its_line_and_column(rule_text, mistakes, old, new, place, says):
    assert rule_text.count(old) >= 1
    found = mistakes(rule_text.replace(old, new, 1))
    assert any(line.startswith(f"{place}: ") and says in line for line in found), "\n".join(found)


def test_the_unchanged_rule_loads(rule_text, write):
    assert load([write(rule_text)]).ids == ("events-missing",)


def test_all_mistakes_of_all_files_are_reported_together(rule_text, write):
    write(rule_text.replace("sev3", "sev9").replace("[ok]", "[okay]"), "a.yaml")
    directory = write("id: 5", "b.yaml").parent
    with pytest.raises(RuleFileErrors) as caught:
        load([directory])
    files = [error.file.rsplit("/", 1)[1] for error in caught.value.errors]
    assert files.count("a.yaml") == 2
    assert files.count("b.yaml") >= 5
    assert files == sorted(files)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"- a\n", "a rule is a mapping"),
        (b"just text", "a rule is a mapping"),
        (b"id: \xff", "not UTF-8"),
        (b"a: " + b"x" * 70_000, "at most 65536 are read"),
        (b"{" * 60_000, "a key must be plain text"),
        (b"[" * 60_000, "nested more than 16 deep"),
        (b"[" + b"1," * 30_000, "more than 5000 values"),
        (b"a: *a\n" * 100, "alias"),
        (b'a: "\\ud800"', "Unicode character" if yaml.__with_libyaml__ else "surrogate"),
        (b"a: " + b"9" * 5_000, "too large"),
        (b"a: 1e999", "not finite"),
        (b"? [a, b]\n: c", "a key must be plain text"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else "",
)
def test_hostile_bytes_are_refused_at_once_and_in_words(mistakes, raw, says):
    started = time.process_time()
    found = mistakes(raw)
    assert says in found[0]
    assert time.process_time() - started < 2.0


def test_billion_laughs_never_expands(mistakes):
    laughs = "a: &a [x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{f'*{chr(97 + i)}, ' * 9}]\n" for i in range(9)
    )
    assert "anchor" in mistakes(laughs)[0]


def test_ten_thousand_terms_are_refused(rule_text, mistakes):
    whens = ", ".join(["'missing >= 5'"] * 10_000)
    assert "at most 65536 are read" in mistakes(rule_text.replace('"missing >= 5"', whens, 1))[0]
    some = ", ".join(["'a'"] * 200)
    assert any(
        "more than 50 entries" in line for line in mistakes(rule_text.replace('"missing >= 5"', some, 1))
    )
    long = " || ".join(["missing >= 5"] * 1_000)
    assert any(
        "at most 2000 are allowed" in line for line in mistakes(rule_text.replace("missing >= 5", long, 1))
    )


def test_yaml_1_2_words_stay_words(rule_text, write):
    text = rule_text.replace(
        'false_positives: ["a new endpoint"]', "false_positives: [no, on, 0o7x, 1_000, yes]"
    )
    assert load([write(text)])["events-missing"].false_positives == ("no", "on", "0o7x", "1_000", "yes")


def test_unreadable_path_is_named(tmp_path):
    with pytest.raises(RuleFileErrors, match="cannot be read: No such file"):
        load([tmp_path / "none.yaml"])


def test_directory_without_rules_is_refused(tmp_path):
    with pytest.raises(RuleFileErrors, match="no rule files here"):
        load([tmp_path])


def test_two_rules_with_one_id_in_a_directory_are_refused(rule_text, write):
    write(rule_text, "a.yaml")
    directory = write(rule_text, "b.yaml").parent
    with pytest.raises(
        RuleFileErrors, match=r"b\.yaml:2:5: id: the rule 'events-missing' is also in .*a\.yaml"
    ):
        load([directory])


def test_later_path_replaces_a_rule_of_an_earlier_one(rule_text, tmp_path):
    for name, severity in (("one", "sev3"), ("two", "sev4")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "r.yaml").write_text(rule_text.replace("sev3", severity))
    assert load([tmp_path / "one", tmp_path / "two"])["events-missing"].fire.severity == "sev4"


def inhibited(text: str, by: str, equal: str = "[account]") -> str:
    return text.replace("reopen_within: 2h", f"inhibited_by: [{{rule: {by}, equal: {equal}}}]")


def test_inhibition_by_an_unknown_rule_is_refused(rule_text, mistakes):
    assert "did you mean 'credentials-rejected'?" in mistakes(inhibited(rule_text, "credential-rejected"))[0]


def test_inhibition_may_name_a_shipped_rule(rule_text, write):
    assert len(load([write(inhibited(rule_text, "credentials-rejected"))])) == 1


def test_inhibition_by_a_label_the_other_rule_lacks_is_refused(rule_text, mistakes):
    found = mistakes(inhibited(rule_text, "credentials-rejected", "[account, endpoint]"))
    assert "no label shared with 'credentials-rejected' 'endpoint'" in found[0]


def test_inhibition_in_a_circle_is_refused(rule_text, write):
    write(inhibited(rule_text, "other"), "a.yaml")
    other = inhibited(rule_text, "events-missing").replace("id: events-missing", "id: other", 1)
    directory = write(other, "b.yaml").parent
    with pytest.raises(RuleFileErrors, match="in a circle"):
        load([directory])


def test_a_rule_cannot_inhibit_itself(rule_text, mistakes):
    assert "in a circle" in mistakes(inhibited(rule_text, "events-missing"))[0]


def test_level_four_never_comes_by_timer_alone(rule_text, mistakes, write):
    level4 = (
        '  level4: [{when: [WHEN], question: "Stop?", options: ['
        "{id: one, text: x, consequence: y, executor: z}, {id: two, text: x, consequence: y, executor: z}]}]\ntests:"
    )
    by_timer = level4.replace("WHEN", "\"open_for > duration('48h')\"")
    assert "Level 4 never comes by timer alone" in mistakes(rule_text.replace("tests:", by_timer))[0]
    load([write(rule_text.replace("tests:", level4.replace("WHEN", "decision_requested")))])


def test_hash_follows_what_the_rule_judges_and_not_its_tests_or_layout(rule_text, write):
    def loaded(text: str) -> Rule:
        return load([write(text)])["events-missing"]

    rule = loaded(rule_text)
    assert loaded("# a comment\n" + rule_text.replace("name: opens", "name: it opens")).hash == rule.hash
    assert loaded(rule_text.replace("missing >= 5", "missing >= 6", 1)).hash != rule.hash


def test_frozen_policy_gives_the_same_rule_back(rule_text, write):
    rule = load([write(rule_text)])["events-missing"]
    again = Rule.from_policy(rule.policy_json())
    assert again.policy_json() == rule.policy_json()
    assert again.hash == rule.hash
    assert again.tests == ()
    assert rule.policy["level1"]["remedies"][0]["verify"] == {"when": ["missing == 0"], "within": "10m"}


def test_shipped_rules_load():
    assert {"webhook-endpoint-disabled", "success-rate-drop"} <= set(load([shipped_dir()]).ids)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("operators: [{at: 1m, do: silence, for: 5m}]", "add for and reason"),
        ("operators: [{at: 1m, do: silence, for: 0s, reason: x}]", "longer than 0s"),
        ("operators: [{at: 1m, do: silence, for: soon, reason: x}]", "not a duration"),
        ("operators: [{at: 1m, do: silense}]", "did you mean 'silence'"),
        ("maintenance: [{from: 10m, until: 10m}]", "must be later than from"),
    ],
)
def test_quiet_in_a_test_needs_an_end_and_a_reason(rule_text, mistakes, extra, says):
    (mistake,) = mistakes(rule_text.rstrip() + f"\n    {extra}\n")
    assert says in mistake
