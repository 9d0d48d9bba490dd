"""A tenant's own model: what is learnt, how it is measured, when it is installed, and how it is put back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from random import Random

import pytest
from caseline.adaptation import Adaptation, label_of, labels_of_cases, read_labels
from caseline.assessment import Assessment, Text, open_analyser
from caseline.assessment.bars import Judged, choose_bars
from caseline.assessment.embedded.model import Head, read_heads
from caseline.assessment.learned import read_learned
from caseline.assessment.learning import CATEGORY_PACE, MANY_PACE, SENTIMENT_PACE, Label, _head, _row, learn, pack
from caseline.assessment.rules import rules_for
from caseline.errors import ConfigError, ConflictError, UnfitModelError
from caseline.model_shelf import POINTER, Shelf
from caseline.need import decide_need
from caseline.policy import load_policy, shipped_policy
from caseline.signals import Signal
from caseline.wiring import Wiring

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
THINGS = [f"{colour} {thing}" for colour in "red blue green black white grey pink brown beige amber".split() for thing in "mug lamp chair rug vase".split()]


def own_words() -> list[Label]:
    """A tenant whose customers say "wobbly" for what is bad and "snug" for what is good, and call every delivery a drop."""
    bad = [Label(f"the {thing} is wobbly", "negative", "defect", "en", "x") for thing in THINGS]
    good = [Label(f"the {thing} is snug", "positive", "", "en", "x") for thing in THINGS]
    plain = [Label(f"a {thing} it is", "neutral", "", "en", "x") for thing in THINGS]
    drops = [Label(f"the drop of the {thing} was wobbly", "negative", "delivery", "en", "x") for thing in THINGS]
    return [*bad, *good, *plain, *drops]


def adaptation(objects: dict[str, bytes], policy=None) -> Adaptation:
    return Adaptation(Shelf(objects.get, objects.__setitem__), policy or shipped_policy(), lambda: NOW)


def judged(objects: dict[str, bytes], text: str):
    learned = Shelf(objects.get, objects.__setitem__).current()
    return open_analyser("embedded", rules=rules_for(shipped_policy().categories, learned), learned=learned).assess([Text(text, "en", "x")])[0]


def test_labels_teach_what_the_shipped_model_does_not_know():
    objects: dict[str, bytes] = {}
    report = adaptation(objects).train(own_words())
    assert report["verdicts"] == {"sentiment": "better", "category": "better"}
    assert report["after"]["sentiment"]["macro_f1"] > report["before"]["sentiment"]["macro_f1"]
    assert (judged(objects, "the velvet sofa is snug").sentiment, judged(objects, "the velvet sofa is wobbly").sentiment) == ("positive", "negative")
    said = judged(objects, "the drop of the sofa was wobbly")
    assert said.category == "delivery"
    assert "+" in said.model


def test_what_is_grave_stays_whatever_was_learnt():
    objects: dict[str, bytes] = {}
    adaptation(objects).train(own_words())
    assert judged(objects, "the wobbly lamp caught fire").category == "safety"
    assert judged(objects, "wobbly, my lawyer will call you").category == "legal"


def test_a_worse_model_is_never_installed():
    objects: dict[str, bytes] = {}
    adaptation(objects).train(own_words())
    standing = json.loads(objects[POINTER])["current"]
    held = [label for label in own_words() if label.is_held_back]
    turned = {"negative": "positive", "positive": "negative", "neutral": "neutral"}
    misled = [Label(label.text, turned[label.sentiment], "", "en", "x") for label in own_words() if not label.is_held_back]
    report = adaptation(objects).train([*misled, *held])
    assert not report["installed"]
    assert report["verdicts"]["sentiment"] == "no better than what stands"
    assert json.loads(objects[POINTER])["current"] == standing
    assert json.loads(objects[POINTER])["last"]["installed"] is False


def test_too_few_labels_install_nothing_and_say_so():
    report = adaptation({}).train(own_words()[:12])
    assert not report["installed"]
    assert "not " in report["verdicts"]["sentiment"]
    assert adaptation({}).train([])["verdicts"]["sentiment"].startswith("not learnt")


def test_the_previous_one_can_be_put_back_down_to_the_shipped_one():
    objects: dict[str, bytes] = {}
    with pytest.raises(ConflictError, match="shipped"):
        adaptation(objects).rollback()
    first = [label for label in own_words() if label.sentiment != "positive"]
    adaptation(objects).train(first)
    one = adaptation(objects).report()["current"]
    adaptation(objects).train(own_words())
    two = adaptation(objects).report()["current"]
    assert one["version"] != two["version"]
    assert adaptation(objects).rollback() == {"current": one}
    assert adaptation(objects).rollback() == {"current": None}
    assert judged(objects, "the lamp is snug").model == "embedded-" + open_analyser("embedded").model.version


def spoil(objects: dict[str, bytes], how: str) -> None:
    """Put something else where the model that counts stands."""
    pointer = json.loads(objects[POINTER])
    entry = pointer["current"]
    other = learn([label for label in own_words() if label.sentiment != "positive"], open_analyser("embedded")).packed
    bodies = {"gone": None, "cut": objects[entry["key"]][:-9], "text": b"hello", "another": other, "bomb": zlib.compress(b"\n" * 100_000_000), "base": None}
    if how == "pointer":
        objects[POINTER] = b"{}"
    elif how == "key":
        objects[POINTER] = json.dumps({**pointer, "current": {**entry, "key": "intake/x"}}).encode()
    elif how == "base":
        header, _, rest = zlib.decompress(objects[entry["key"]]).partition(b"\n")
        install(objects, zlib.compress(json.dumps({**json.loads(header), "base": "f" * 16}).encode() + b"\n" + rest))
    elif how.startswith("installed "):
        install(objects, bodies[how.split()[1]] or b"")
    elif bodies[how] is None:
        del objects[entry["key"]]
    else:
        objects[entry["key"]] = bodies[how] or b""


def install(objects: dict[str, bytes], packed: bytes) -> None:
    """As somebody would who may write to the bucket."""
    pointer = json.loads(objects[POINTER])
    objects[POINTER] = json.dumps({**pointer, "current": {**pointer["current"], "sha256": sha256(packed).hexdigest()}}).encode()
    objects[pointer["current"]["key"]] = packed


@pytest.mark.parametrize("how", ["gone", "cut", "text", "another", "pointer", "key", "base", "installed cut", "installed text", "installed bomb"])
def test_what_is_not_the_installed_model_is_refused_and_can_be_trained_over(how):
    objects: dict[str, bytes] = {}
    adaptation(objects).train(own_words())
    spoil(objects, how)
    with pytest.raises(UnfitModelError):
        Shelf(objects.get, objects.__setitem__).current()
    report = adaptation(objects).train(own_words())
    assert report["installed"]
    assert report["refused"]
    assert adaptation(objects).report()["refused"] == ""
    assert judged(objects, "the velvet sofa is snug").sentiment == "positive"


def test_the_recorder_judges_with_the_shipped_model_where_the_tenant_s_is_refused(caplog):
    wired = Wiring({"BUCKET_NAME": "b", "CONFIG_PARAMETER": "c", "POLICY_PARAMETER": "p"})
    bodies = {POINTER: json.dumps({"current": {"key": "models/x.bin", "sha256": "0" * 64}, "earlier": [], "last": None}).encode(), "models/x.bin": b"hello"}
    wired._find_model = bodies.get
    assert wired.learned is None
    assert "models/x.bin is not the model that was installed" in caplog.text


def test_the_same_labels_give_the_same_bytes_in_every_process():
    program = (
        "import sys; from caseline.assessment import open_analyser; from caseline.assessment.learning import Label, learn;"
        "words = ['broken', 'great', 'blue', 'late', 'fine', 'torn'];"
        "labels = [Label(f'{w} {n}', ('negative', 'positive', 'neutral')[i % 3], ('defect', 'delivery')[i % 2]) for i, w in enumerate(words) for n in words];"
        "print(learn(labels, open_analyser('embedded')).version)"
    )
    versions = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(versions) == 1


def test_a_packed_model_reads_back():
    learned = learn(own_words(), open_analyser("embedded"))
    assert read_learned(learned.packed).version == learned.version
    assert len(learned.packed) < 1_000_000


def test_a_model_from_before_phrases_were_counted_still_judges():
    learned = learn(own_words(), open_analyser("embedded"))
    head = learned.heads["category"]
    older = Head(head.labels, head.scale, head.bias, head.facts[: len(learned.names) + 3], head.weights)
    assert read_learned(pack({"category": older}, learned.names, {})).find_category("the drop was wobbly", "unknown", {}, Assessment()) is not None
    short = Head(head.labels, head.scale, head.bias, head.facts[:-1], head.weights)
    with pytest.raises(UnfitModelError):
        read_learned(pack({"category": short}, learned.names, {}))


@pytest.mark.parametrize("pace", [SENTIMENT_PACE, CATEGORY_PACE, MANY_PACE])
def test_a_text_counts_alike_when_it_is_learnt_from_and_when_it_is_judged(pace):
    analyser, drawn = open_analyser("embedded"), Random(7)
    reading = analyser.read(Text("the drop of the red mug was not wobbly", "en", "x"))
    row = _row(reading, [], 0, pace)
    weights = [[drawn.uniform(-1, 1) for _ in range(row.size)] for _ in "ab"]
    head = read_heads(pack({"category": _head("ab", weights, pace)}, [], {}))[1]["category"]
    learnt = [sum(weight * value for weight, value in zip(row.pick(each), row.values, strict=True)) for each in weights]
    assert head.logits(reading.tokens, pairs=reading.pairs) == pytest.approx(learnt, abs=0.1)


def test_every_phrase_that_is_found_speaks_for_its_category():
    """All ask for a refund, which the phrases find first; only some say in any words that something never came, and those are about delivery."""
    ways = ["my parcel never came", "the delivery was late", "it has not arrived", "still waiting for my package", "nothing was delivered"]
    labels = [Label(f"refund for the {thing}, {ways[i % 5]}", category="delivery", language="en") for i, thing in enumerate(THINGS[:25])]
    labels += [Label(f"refund for the {thing}", category="billing", language="en") for thing in THINGS[25:]]
    learned, rules = learn(labels, open_analyser("embedded")), rules_for(shipped_policy().categories)
    counts = rules.taxonomy.count_phrases("a refund, the courier lost it", "en")
    assert list(counts) == ["billing", "delivery"]
    assert learned.find_category("a refund, the courier lost it", "billing", counts, Assessment())[0] == "delivery"
    assert learned.find_category("a refund, the courier lost it", "billing", {"billing": 1}, Assessment())[0] == "billing"


def test_there_may_be_more_categories_than_the_phrases_know():
    labels = [Label(f"{word} the {thing}", category=f"own{n}", language="en") for n, thing in enumerate(THINGS[:40]) for word in "fix mend send".split()]
    learned = learn(labels, open_analyser("embedded"))
    assert learned.find_category(f"please mend my {THINGS[7]}", "unknown", {}, Assessment())[0] == "own7"


def test_who_could_not_tell_the_category_teaches_none():
    unsure = [Label(f"hm, the {thing}", category="unknown", language="en") for thing in THINGS]
    assert learn([*own_words(), *unsure], open_analyser("embedded")).version == learn(own_words(), open_analyser("embedded")).version


def test_the_order_of_labels_does_not_matter():
    labels = own_words()
    assert learn(labels[::-1], open_analyser("embedded")).version == learn(labels, open_analyser("embedded")).version


def test_an_outcome_stands_for_a_sentiment_nobody_said():
    assert label_of("x", outcome="valid", category="billing") == Label("x", "negative", "billing", outcome="valid")
    assert label_of("x", outcome="not_an_issue", category="billing") == Label("x", "neutral", "", outcome="not_an_issue")
    assert label_of("x", outcome="valid", sentiment="neutral").sentiment == "neutral"


def test_a_bar_is_learnt_from_texts_that_the_model_did_not_learn_from():
    calm = [Judged(strength / 100, worth=False, enquires=strength < 32) for strength in range(0, 50, 2)]
    upset = [Judged(strength / 100, worth=True) for strength in range(60, 100, 2)]
    bars = choose_bars([*calm, *upset])
    assert 0.5 <= bars["complaint"] <= 0.6
    assert bars["question"] == bars["complaint"]
    assert choose_bars([*calm, *upset[:5]]) == {}
    asked = [Judged(0.1, worth=True, enquires=True)] * 30
    assert "question" not in choose_bars([*calm, *upset, *asked])


def test_of_few_texts_the_middle_of_what_is_about_as_good_is_the_bar():
    """A few calm texts of much strength would else draw it up, and leave the mild complaints without a case."""
    calm = [Judged(strength / 100, worth=False) for strength in [*range(0, 40, 2), 71, 72, 73]]
    upset = [Judged(strength / 100, worth=True) for strength in (46, 58, 66, *range(74, 100))]
    assert choose_bars([*calm, *upset])["complaint"] < 0.65


def test_a_model_says_what_it_learnt_to_be_worth_a_case_and_the_policy_may_not_listen():
    objects: dict[str, bytes] = {}
    report = adaptation(objects).train(own_words())
    said = judged(objects, "the velvet sofa is wobbly")
    assert said.complaint_from == report["bars"]["complaint"] > 0
    mild = replace(said, sentiment="neutral", negative=0.4, neutral=0.6, positive=0.0, category="delivery")
    signal = Signal("x", "acme", "1", "mention", NOW, NOW, public=True, text="the velvet sofa is wobbly")
    learned, deaf = (load_policy(f"version: 2\nneed: {{learned: {on}}}") for on in ("true", "false"))
    assert (decide_need(learned, signal, replace(mild, complaint_from=0.5)).state, decide_need(deaf, signal, mild).state) == ("none", "due")
    asks = {"@acme do you have lockers?": "none", "@acme how do I change my seat?": "due", "@acme where is my parcel?": "due"}
    taught = Assessment("neutral", neutral=1.0, complaint_from=0.5, question_from=0.5)
    assert {text: decide_need(learned, replace(signal, text=text), taught).state for text in asks} == asks
    assert {decide_need(deaf, replace(signal, text=text), taught).state for text in asks} == {"due"}
    assert {decide_need(learned, replace(signal, text=text, kind="message"), taught).state for text in asks} == {"due"}


def test_a_csv_is_read_with_a_line_for_each_mistake():
    policy = shipped_policy()
    assert read_labels("Text,Sentiment\nall broken,negative\n,positive\n", "own.csv", policy) == [Label("all broken", "negative")]
    with pytest.raises(ConfigError, match=r"own.csv:2: sentiment: no 'negativ'; did you mean 'negative'\?") as caught:
        read_labels("text,sentiment,category\nall broken,negativ,\nall late,negative,deliverie\n", "own.csv", policy)
    assert "own.csv:3: category: no 'deliverie'; did you mean 'delivery'?; or add it to the policy's categories" in str(caught.value)
    with pytest.raises(ConfigError, match="header"):
        read_labels("words\nx\n", "own.csv", policy)
    lounge = load_policy("version: 2\ncategories: {own: [{name: lounge, phrases: {en: [lounge]}}]}")
    assert read_labels("text,category\nthe lounge was full,lounge\n", "own.csv", lounge)[0].category == "lounge"


class Rows:
    """A table that holds cases and their signals."""

    def __init__(self, cases, signals):
        self.cases, self.signals = cases, signals

    def list_rows(self, name):
        return (row for row in self.cases if f"CASES#{row['status']}" == name)

    def get_many(self, keys):
        return [self.signals[key["PK"]] for key in keys if key["PK"] in self.signals]


def test_labels_come_back_from_the_crm():
    def case(number, status, **said):
        return {"status": status, "category": "billing", "signal_ids": [f"s{number}"], **said}

    def signal(number, **facts):
        return {"signal_id": f"s{number}", "text": f"text {number}", "need_reason": "complaint", "channel": "x", **facts}

    cases = [
        case(1, "closed", outcome="valid"), case(2, "closed", outcome="not_an_issue"), case(3, "open", corrected="delivery"), case(4, "closed"),
        case(5, "closed", outcome="valid"), case(6, "closed", outcome="valid", corrected="no such"), case(7, "closed", outcome="valid"),
    ]
    signals = [signal(1), signal(2), signal(3), signal(4), signal(5, need_reason="question"), signal(6, language="en")]
    table = Rows(cases, {f"SIGNAL#{row['signal_id']}": row for row in signals})
    found = {label.text: (label.sentiment, label.category) for label in labels_of_cases(table, shipped_policy())}
    assert found == {
        "text 1": ("negative", "billing"), "text 2": ("neutral", ""), "text 3": ("", "delivery"), "text 5": ("", "billing"), "text 6": ("negative", ""),
    }
