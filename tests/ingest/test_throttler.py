from __future__ import annotations

import copy
import hashlib
import json
import re
import threading
import tracemalloc
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ingest.conditions import BadRules, Facts
from ingest.throttler import SHIPPED, Decision, Result, RuleSet, Throttler, load, parse, rules_path

TODAY = date(2020, 5, 27)
MOZILLA = load(SHIPPED / "mozilla.toml")
ACCEPT_ALL = load(SHIPPED / "accept_all.toml")


def digest_below(rule: str, percent: float) -> bytes:
    """Find a report's digest for which the rule's draw falls below a percentage."""
    return next(digest for digest in map(make_digest, range(10_000)) if draw(rule, digest) < percent)


def digest_above(rule: str, percent: float) -> bytes:
    return next(digest for digest in map(make_digest, range(10_000)) if draw(rule, digest) > percent)


def make_digest(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def draw(rule: str, digest: bytes) -> float:
    hashed = hashlib.sha256(rule.encode() + digest).digest()
    return int.from_bytes(hashed[:8], "big") / 2**64 * 100


def decide(annotations: dict[str, Any], digest: bytes = bytes(32), rules: RuleSet = MOZILLA) -> Decision:
    return rules.decide(annotations, digest, TODAY)


def rule_for(**annotations: Any) -> str:
    """Give the name of the rule that decides on a Firefox report."""
    return decide({"ProductName": "Firefox", **annotations}).rule


@pytest.mark.parametrize(
    ("build_id", "is_old"),
    [
        ("20180528000000", True),
        ("20180529000000", False),
        ("20000101000000", True),
        ("20220404", False),
        ("11111111111111", False),
        ("20189999000000", False),
        ("None", False),
        ("abc", False),
        ("", False),
        ("２０１８０５２８００００００", False),
        (None, False),
        (20180528000000, True),
    ],
)
def test_old_build_ids(build_id: Any, is_old: bool) -> None:
    assert (rule_for(BuildID=build_id) == "has_old_buildid") is is_old


def test_hangs_of_the_browser_half() -> None:
    assert rule_for(HangID="1", ProcessType="browser") == "has_hangid_and_browser"
    assert rule_for(HangID="1") == "has_hangid_and_browser"
    assert rule_for(HangID="1", ProcessType="plugin") != "has_hangid_and_browser"
    assert rule_for(ProcessType="browser") != "has_hangid_and_browser"


def infobar(**changed: Any) -> str:
    crash = {"SubmittedFromInfobar": "true", "Version": "52.0", "BuildID": "2017", **changed}
    return rule_for(**{name: value for name, value in crash.items() if value is not ...})


@pytest.mark.parametrize("version", range(52, 60))
def test_infobar_reports_of_the_versions_with_the_bug(version: int) -> None:
    assert infobar(Version=f"{version}.0.1") == "infobar_is_true"


@pytest.mark.parametrize(
    "changed",
    [
        {"Version": "51.0"},
        {"Version": "60.0"},
        {"Version": "520"},
        {"Version": ...},
        {"SubmittedFromInfobar": "false"},
        {"SubmittedFromInfobar": ...},
        {"BuildID": "20171226"},
        {"BuildID": ...},
        {"ProductName": "Thunderbird"},
    ],
)
def test_other_reports_have_nothing_to_do_with_the_infobar(changed: dict[str, Any]) -> None:
    assert infobar(**changed) != "infobar_is_true"


@pytest.mark.parametrize("product", ["", "firefox", "testproduct", None, "None", 0, ["Firefox"]])
def test_unsupported_products(product: Any) -> None:
    assert decide({"ProductName": product}) == Decision(Result.REJECT, "unsupported_product", 100)


def test_a_missing_product_is_unsupported() -> None:
    assert decide({}).rule == "unsupported_product"


@pytest.mark.parametrize("product", ["b2g", "B2G"])
def test_b2g_is_fooled(product: str) -> None:
    assert decide({"ProductName": product}) == Decision(Result.FAKEACCEPT, "b2g", 100)


@pytest.mark.parametrize(
    ("product", "package", "supported"),
    [
        ("Fenix", "org.mozilla.firefox", True),
        ("Fenix", "org.mozilla.fenix", True),
        ("Focus", "org.mozilla.klar", True),
        ("ReferenceBrowser", "org.mozilla.reference.browser", True),
        ("Thunderbird", "anything", True),
        ("Thunderbird", None, True),
        ("Fenix", "", False),
        ("Fenix", "org.mozilla.klar", False),
        ("Fenix", None, False),
        ("Focus", "org.mozilla.firefox", False),
        ("ReferenceBrowser", None, False),
    ],
)
def test_android_packages(product: str, package: str | None, supported: bool) -> None:
    crash = {"ProductName": product} | ({} if package is None else {"Android_PackageName": package})
    assert (decide(crash).rule != "unsupported_packagename") is supported


@pytest.mark.parametrize(
    ("crash", "rule"),
    [
        ({"Throttleable": "0"}, "throttleable_0"),
        ({"Throttleable": 0}, "throttleable_0"),
        ({"Throttleable": "1"}, "accept_everything"),
        ({"Throttleable": "foo"}, "accept_everything"),
        ({"Comments": "x"}, "has_comments"),
        ({"Comments": ""}, "has_comments"),
        ({"Comments": None}, "has_comments"),
        ({"PHCKind": "x"}, "has_phc"),
        *(({"ProcessType": kind}, "is_background") for kind in ("gpu", "plugin", "rdd", "socket", "utility")),
        ({"ProcessType": "content"}, "accept_everything"),
        ({"ProcessType": ""}, "accept_everything"),
        *(({"ReleaseChannel": name}, "is_alpha_beta_esr") for name in ("aurora", "beta", "esr")),
        ({"ReleaseChannel": "nightly"}, "is_nightly"),
        ({"ReleaseChannel": "nightlyfoo"}, "is_nightly"),
        ({"ReleaseChannel": "default"}, "accept_everything"),
    ],
)
def test_what_is_always_kept(crash: dict[str, Any], rule: str) -> None:
    assert decide({"ProductName": "Firefox", **crash}) == Decision(Result.ACCEPT, rule, 100)


def test_shutdown_kills_are_sampled() -> None:
    crash = {"ProductName": "Firefox", "ipc_channel_error": "ShutDownKill"}
    assert decide(crash, digest_above("is_shutdownkill", 10)) == Decision(
        Result.REJECT, "is_shutdownkill", 10
    )
    assert decide(crash, digest_below("is_shutdownkill", 10)).rule == "accept_everything"


def test_firefox_releases_are_sampled() -> None:
    crash = {"ProductName": "Firefox", "ReleaseChannel": "release"}
    kept, dropped = (find("is_firefox_desktop", 10) for find in (digest_below, digest_above))
    assert decide(crash, kept) == Decision(Result.ACCEPT, "is_firefox_desktop", 10)
    assert decide(crash, dropped) == Decision(Result.REJECT, "is_firefox_desktop", 10)


def esr(environment: Any) -> dict[str, Any]:
    text = environment if isinstance(environment, str) else json.dumps(environment)
    return {"ProductName": "Firefox", "ReleaseChannel": "esr", "TelemetryEnvironment": text}


def windows(build: Any, name: Any = "Windows_NT") -> dict[str, Any]:
    return {"system": {"os": {"name": name, "windowsBuildNumber": build}}}


RULE_12 = "is_firefox_esr_unsupported_windows"


@pytest.mark.parametrize("build", [7601, 9200, 9600])
def test_old_windows_is_sampled(build: int) -> None:
    crash = esr(windows(build))
    assert decide(crash, digest_above(RULE_12, 25)) == Decision(Result.REJECT, RULE_12, 25)
    assert decide(crash, digest_below(RULE_12, 25)).rule == "is_alpha_beta_esr"


@pytest.mark.parametrize(
    "environment",
    [
        windows(10240),
        windows(0),
        windows("7601"),
        windows(True),
        windows(7601.0),
        windows(None),
        windows(7601, "Linux"),
        {"system": {"os": {"name": "Windows_NT"}}},
        {"system": {"os": []}},
        {"system": None},
        {},
        [1],
        "text",
        5,
        "{",
        "",
        "[" * 100_000,
    ],
)
def test_what_says_nothing_of_old_windows_does_not_match(environment: Any) -> None:
    assert decide(esr(environment), digest_above(RULE_12, 25)).rule == "is_alpha_beta_esr"


class TestJsonInsideAnAnnotation:
    def test_it_is_read_once_for_all_conditions(self) -> None:
        facts = Facts({"TelemetryEnvironment": json.dumps(windows(7601)), "Notes": ["no text"]}, TODAY)
        inside = facts.inside("TelemetryEnvironment", ("system", "os"))
        assert inside == {"name": "Windows_NT", "windowsBuildNumber": 7601}
        assert facts.inside("TelemetryEnvironment", ("system", "os")) is inside
        assert facts.text("Notes") is facts.text("Notes")

    def test_a_usual_environment_is_within_the_bounds(self) -> None:
        addon = {"version": "1.2.3", "type": "extension", "isSystem": False, "installDay": 18000}
        environment = {
            **windows(7601),
            "addons": {f"addon{number}@example.org": addon for number in range(3000)},
        }
        assert len(json.dumps(environment)) > 200_000
        assert decide(esr(environment), digest_above(RULE_12, 25)).rule == RULE_12

    @pytest.mark.parametrize(
        "ballast",
        ["[" + "[]," * 7_000_000 + "[]]", '"' + "x" * 1_048_576 + '"', "[" + "[]," * 10_000 + "[]]"],
        ids=["20 MB of empty lists", "a long text", "many values"],
    )
    def test_beyond_the_bounds_it_is_not_read(self, ballast: str) -> None:
        crash = esr(f'{{"ballast": {ballast}, {json.dumps(windows(7601))[1:]}')
        tracemalloc.start()
        try:
            assert decide(crash, digest_above(RULE_12, 25)).rule == "is_alpha_beta_esr"
            assert tracemalloc.get_traced_memory()[1] < 100_000
        finally:
            tracemalloc.stop()

    def test_it_is_present_only_when_it_is_there(self) -> None:
        rules = parse(
            '[[rule]]\nname = "a"\nwhen = [{annotation = "b", json = "c.d", present = true}]\nresult = "accept"'
        )
        assert decide({"b": '{"c": {"d": 0}}'}, rules=rules).rule == "a"
        for text in ('{"c": {"d": null}}', '{"c": {}}', "no JSON"):
            assert decide({"b": text}, rules=rules).rule == "NO_MATCH"


def test_a_long_text_is_not_copied_to_compare_it_in_any_case() -> None:
    crash = {"ProductName": "B" * 20_000_000}
    tracemalloc.start()
    try:
        assert decide(crash).rule == "unsupported_product"
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_the_accept_all_rules_accept_all() -> None:
    for crash in ({}, {"ProductName": "whatever"}):
        assert decide(crash, rules=ACCEPT_ALL) == Decision(Result.ACCEPT, "accept_everything", 100)


def test_the_same_report_always_gets_the_same_answer_and_the_share_is_kept() -> None:
    crash = {"ProductName": "Firefox", "ReleaseChannel": "release"}
    answers = [decide(crash, make_digest(number)).result for number in range(5000)]
    assert answers == [decide(crash, make_digest(number)).result for number in range(5000)]
    assert 400 < answers.count(Result.ACCEPT) < 600


def test_without_a_matching_rule_a_report_is_refused() -> None:
    rules = parse('[[rule]]\nname = "a"\nwhen = [{annotation = "b", present = true}]\nresult = "accept"')
    assert decide({}, rules=rules) == Decision(Result.REJECT, "NO_MATCH", 0)


def test_products_are_filled_in_from_the_names_other_reporters_use() -> None:
    electron = {"_productName": "App", "_version": "2.4.1", "prod": "Electron", "ver": "30"}
    breakpad = {"prod": "App", "ver": "2.4.1"}
    others = {"product": "App", "version": "2.4.1"}
    firefox = {"ProductName": "Firefox", "Version": "1", "prod": "x", "ver": "y"}
    for sent, product, version in (
        (electron, "App", "2.4.1"),
        (breakpad, "App", "2.4.1"),
        (others, "App", "2.4.1"),
        (firefox, "Firefox", "1"),
    ):
        annotations = dict(sent)
        ACCEPT_ALL.prepare(annotations)
        assert annotations == {**sent, "ProductName": product, "Version": version}


def test_mozillas_rules_know_no_other_names_until_the_lines_of_their_comment_are_added() -> None:
    text = (SHIPPED / "mozilla.toml").read_text()
    breakpad = {"prod": "Firefox", "ver": "2.4.1"}
    for rules, rule in (
        (parse(text), "unsupported_product"),
        (parse(uncommented(text)), "accept_everything"),
    ):
        annotations = dict(breakpad)
        rules.prepare(annotations)
        assert decide(annotations, rules=rules).rule == rule


def uncommented(text: str) -> str:
    """Put the lines that a comment shows, three blanks in, into force."""
    return re.sub(r"^#   ", "", text, flags=re.MULTILINE)


def test_cut_annotations_are_joined() -> None:
    annotations = {
        "url__1": "ab",
        "url__2": "cd",
        "gap__1": "x",
        "gap__3": "z",
        "own": "1",
        "own__1": "2",
        "__1": "q",
    }
    ACCEPT_ALL.prepare(annotations)
    assert annotations["url"] == "abcd"
    assert annotations["own"] == "1"
    assert "gap" not in annotations


def test_what_was_added_before_saving_can_be_taken_out_again() -> None:
    sent = {"_productName": "App", "ver": "1", "url__1": "ab", "url__2": "cd", "own": "1", "own__1": "2"}
    annotations = dict(sent)
    ACCEPT_ALL.prepare(annotations)
    assert sorted(ACCEPT_ALL.undo_prepare(annotations)) == ["ProductName", "Version", "url"]
    assert annotations == sent
    others = {"ProductName": "Firefox", "prod": "x"}
    assert ACCEPT_ALL.undo_prepare(others) == []


def test_a_bracket_in_a_pattern_stands_for_itself() -> None:
    rules = parse('[remove]\n"*" = ["a[b]*"]\n[[rule]]\nname = "all"\nresult = "accept"')
    assert rules.removed_names({"ab1": "1", "a[b]1": "2"}) == ["a[b]1"]


def test_annotations_are_removed_by_name_pattern_and_product() -> None:
    rules = parse(
        '[remove]\n"*" = ["Email", "user_*"]\nApp = ["guid"]\n[[rule]]\nname = "all"\nresult = "accept"'
    )
    annotations = {"guid": "1", "user_name": "2", "user_id": "3", "Email": "4", "Notes": "5"}
    assert rules.removed_names(annotations) == ["Email", "user_name", "user_id"]
    assert rules.removed_names({**annotations, "ProductName": "App"})[-1] == "guid"


RULE = '[[rule]]\nname = "all"\nresult = "accept"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no \\[\\[rule\\]\\]"),
        ("rule = 1", "no \\[\\[rule\\]\\]"),
        ("[[rule", "not TOML"),
        ("a = " + "[" * 100_000, "not TOML"),
        ("a = " + "1" * 5000, "not TOML"),
        ("[rules]\n" + RULE, "unknown table rules"),
        ('[[rule]]\nname = "with blank"\nresult = "accept"', "'with blank'.*ASCII letters"),
        ('[[rule]]\nname = "ü"\nresult = "accept"', "ASCII letters"),
        ('[[rule]]\nresult = "accept"', "None.*the name is needed"),
        ('[[rule]]\nname = "a"', "rule a: give either result or sample"),
        ('[[rule]]\nname = "a"\nresult = "keep"', "rule a: result 'keep'; expected one of accept"),
        ('[[rule]]\nname = "a"\nresult = "continue"', "rule a: result 'continue'"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nthen = 1', "rule a: unknown key then"),
        ('[[rule]]\nname = "a"\nsample = {percent = 100, then = "accept", otherwise = "reject"}', "percent = 100"),
        ('[[rule]]\nname = "a"\nsample = {percent = true, then = "accept", otherwise = "reject"}', "percent = True"),
        ('[[rule]]\nname = "a"\nsample = {percent = 1}', "percent, then and otherwise"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{is = "x"}]', "the name of an annotation"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b"}]', "no comparison; expected exactly one"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", is = "x", like = "y"}]', "is, like"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", is = 1}]', "on b: is = 1"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", is = []}]', "a list of texts"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", in_list = "c"}]', "no such list"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", present = false}]', "add not = true"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", number_between = [1]}]', "on b"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", number_between = ["1", 2]}]', "whole"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", build_older_than_days = "x"}]', "days"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", number_between = [2, 1]}]', "smaller"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", sorts_before = ["x"]}]', "a text"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", is = {c = 1}}]', "a list of texts"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", in_list = ["c"]}]', "no such list"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", json = "", is = "x"}]', "a path"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", json = "c..d", is = "x"}]', "'c..d'"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = ["b"]', "rule a: when = .*a list of conditions"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = {annotation = "b", is = "x"}', "a list of conditions"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = 5', "a list of conditions"),
        ('[[rule]]\nname = "a"\nresult = "accept"\nwhen = [{annotation = "b", sorts_before = "x", any_case = true}]',
         "any_case goes with"),
        ('[remove]\n"*" = "Email"\n' + RULE, "\\[remove\\]: every value is a list"),
        ("rule = [1]", "the name is needed"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_the_place_and_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(BadRules, match=complaint):
        parse(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRules, match=r"missing\.toml: cannot be read"):
        load(tmp_path / "missing.toml")


def test_a_changed_file_is_read_again_and_a_broken_one_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULE)
    throttler = Throttler(path, last_good=tmp_path / "last_good", check_every_seconds=0)
    assert [rule.name for rule in throttler.rules.rules] == ["all"]
    path.write_text(RULE.replace("all", "first") + RULE)
    assert [rule.name for rule in throttler.rules.rules] == ["first", "all"]
    path.write_text("broken")
    assert [rule.name for rule in throttler.rules.rules] == ["first", "all"]
    assert "the changed file is not used" in caplog.text
    path.unlink()
    assert [rule.name for rule in throttler.rules.rules] == ["first", "all"]


def names(throttler: Throttler) -> list[str]:
    return [rule.name for rule in throttler.rules.rules]


class TestProcessesOfOneCollector:
    """Forked processes share what was read before; here each is a throttler, copied where a fork would."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "rules.toml"
        path.write_text(RULE)
        return path

    def start(self, path: Path) -> Throttler:
        return Throttler(path, last_good=path.with_name("last_good"), check_every_seconds=0)

    def test_one_that_is_forked_after_the_file_became_wrong_decides_as_the_others(self, path: Path) -> None:
        starting = self.start(path)
        older, newer = (fork(starting) for _ in range(2))
        path.write_text(RULE.replace("all", "second"))
        assert names(older) == ["second"]
        path.write_text("broken")
        assert names(older) == ["second"]
        assert names(newer) == ["second"]
        path.write_text(RULE.replace("all", "third"))
        assert names(newer) == names(older) == ["third"]

    def test_one_that_never_saw_the_last_good_file_follows_those_that_did(self, path: Path) -> None:
        starting = self.start(path)
        quick, slow = (fork(starting) for _ in range(2))
        path.write_text("broken")
        assert names(slow) == ["all"]
        path.write_text(RULE.replace("all", "second"))
        assert names(quick) == ["second"]
        path.write_text("broken again")
        assert names(slow) == names(quick) == ["second"]

    def test_a_collector_that_starts_anew_knows_nothing_of_the_rules_of_its_last_run(
        self, path: Path
    ) -> None:
        self.start(path)
        path.write_text(RULE.replace("all", "second"))
        starting = self.start(path)
        path.write_text("broken")
        assert names(fork(starting)) == ["second"]

    def test_without_room_for_the_copy_each_goes_on_with_what_it_has(
        self, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        throttler = Throttler(path, last_good=path / "no folder", check_every_seconds=0)
        assert "no copy of them could be kept" in caplog.text
        path.write_text("broken")
        assert names(throttler) == ["all"]


def fork(throttler: Throttler) -> Throttler:
    """Give what a process has of it that is forked now."""
    forked = copy.copy(throttler)
    forked._lock = threading.Lock()
    return forked


def test_a_file_whose_name_ends_like_one_that_ships_is_still_itself(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULE)
    (tmp_path / "rules.toml.toml").write_text("broken")
    assert [rule.name for rule in load(rules_path(str(tmp_path / "rules.toml"))).rules] == ["all"]
    assert rules_path("mozilla") == SHIPPED / "mozilla.toml"


def test_the_explanation_names_every_rule_up_to_the_one_that_decides() -> None:
    lines = MOZILLA.explain({"ProductName": "testproduct"}, bytes(32), TODAY)
    assert lines[-1] == "unsupported_product: match, by ProductName: reject"
    assert lines[0] == "has_old_buildid: no match, by BuildID"
