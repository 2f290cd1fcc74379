"""Tests that neither the constant caption nor an attack (a caption built to exploit the reward) earns as much as the
reference."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import assume, given, settings

from tests.fakes.archive_records import archive_records
from tests.fakes.reward_cases import RECORD, completion, full_records, records, score, task
from vaserl.rewards.vase import (
    Facts,
    YearInterval,
    caption_from_facts,
    parse_record,
    reference_caption,
    vase_caption,
)
from vaserl.rewards.vase.attacks import attacks
from vaserl.rewards.vase.attribution import display
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

CONSTANT = "Athenian black-figure amphora, c. 525–475 BCE"


@settings(deadline=None)
@given(records)
def test_constant_answer_never_beats_the_reference(record):
    assume(reference_caption(record).rstrip(".") != CONSTANT)
    assert score(record, CONSTANT).total < score(record, reference_caption(record)).total


def test_constant_answer_by_hand():
    # Fabric, technique: 0.20 each; the amphora's family: 0.85 · 0.15; the date: 0.15. The constant's 8 words (athenian
    # black figure amphora c 525 475 bce) all stand in the reference's 20, in the blocks "athenian black figure" and
    # "amphora c 525 475 bce".
    constant = score(RECORD, CONSTANT)
    assert constant.parts["shape"] == 0.85
    assert constant.parts["bonus"] == pytest.approx(0.1 * 2 * 8 / (8 + 20))
    assert constant.total == pytest.approx(0.2 + 0.2 + 0.85 * 0.15 + 0.15 + constant.parts["bonus"])


@settings(deadline=None, max_examples=50)  # a dozen attacks on each
@given(records)
def test_attacks_score_below_the_reference(record):
    honest = score(record, reference_caption(record)).total
    for name, text in attacks(reference_caption(record)).items():
        if name == "shuffled words" and text == reference_caption(record):
            continue  # the only order of one or two words
        assert score(record, text).total < honest, name
    assert vase_caption(task(record), completion(reference_caption(record), "length")).total < honest


DATE_ATTACKS = ("widest date added", "widest date instead", "every century", "list of years", "nested dates")


@settings(deadline=None, max_examples=50)
@given(full_records)
def test_attacks_by_dates_cost_a_third_of_the_dating(record):
    reference = reference_caption(record)
    honest = score(record, reference).total
    texts = attacks(reference)
    for name in DATE_ATTACKS:
        assert score(record, texts[name]).total <= honest - 0.05, name


def test_vase_caption_two_values_earn_half():
    reference = reference_caption(RECORD)
    both = score(RECORD, reference.replace("black-figure", "black-figure or red-figure"))
    assert (both.parts["raw/technique"], both.parts["technique"]) == (1.0, 0.5)
    labelled = score(RECORD, reference + " Technique: red-figure")
    assert labelled.parts["technique"] == 0.5
    three = score(RECORD, reference.replace("the Antimenes", "Lydos or the Pan Painter or the Antimenes"))
    assert three.parts["attribution"] == pytest.approx(1 / 3)
    two_dates = score(RECORD, reference.replace("c. 525–475 BCE", "c. 525–475 BCE or 400–350 BCE"))
    assert two_dates.parts["dating"] == 0.5


def test_vase_caption_needs_all_values_of_the_record_but_one_alternative():
    record = RECORD | {
        "Technique": "BLACK-FIGURE | WHITE GROUND",
        "Attributed To": "LYDOS by BEAZLEY | EXEKIAS by BOTHMER",
    }
    assert score(record, "Athenian black-figure vase by Exekias").parts["technique"] == 0.5
    assert score(record, "Athenian black-figure vase by Exekias").parts["attribution"] == 1
    assert score(record, "Athenian black-figure vase on white ground").parts["technique"] == 1
    assert score(record, "Athenian vase by Exekias or by Lydos").parts["attribution"] == 1
    assert score(record, "Athenian vase by Exekias, near Lydos or by Psiax").parts["attribution"] < 1


def test_vase_caption_widest_date_earns_nothing():
    parts = score(RECORD, reference_caption(RECORD).replace("525–475 BCE", "1000 BCE–1 CE")).parts
    # 50 years of 1,000 (1 CE begins where 1 BCE ends).
    assert (parts["raw/dating"], parts["dating"]) == (pytest.approx(0.05), 0)


def test_vase_caption_look_alike_letters_earn_nothing():
    parts = score(RECORD, reference_caption(RECORD).translate(str.maketrans("ao", "ао"))).parts
    assert [parts[d] for d in ("fabric", "technique", "shape", "decoration", "attribution")] == [0] * 5


HARMLESS = ("Markdown", "table", "JSON")
"""Forms of the reference caption that only lose some of the bonus."""


def test_attacks_earn_clearly_less_than_the_reference_on_99_percent_of_records():
    below: dict[str, list[bool]] = {}
    for seed, record in enumerate(archive_records(50, seed=14)):
        reference = reference_caption(record)
        honest = score(record, reference).total
        for name, text in attacks(reference, seed=seed).items():
            below.setdefault(name, []).append(score(record, text).total <= honest - 0.05)
    assert len(below) == 47
    for name in HARMLESS:
        del below[name]
    assert {name: share for name, each in below.items() if (share := sum(each) / len(each)) < 0.99} == {}


@pytest.mark.parametrize(
    "exclusion", [" Not Corinthian, no hydria.", " Not red-figure but black-figure.", " It is not by Exekias."]
)
def test_honest_exclusions_cost_little(exclusion):
    for record in archive_records(60, seed=15):
        if (
            record["Fabric"] == "CORINTHIAN"
            or record["Technique"] != "BLACK-FIGURE"
            or record["Shape Name"] == "HYDRIA"
        ):
            continue
        reference = reference_caption(record)
        assert score(record, reference + exclusion).total >= score(record, reference).total - 0.05


def test_no_blind_answer_earns_more_than_the_best_honest_constant():
    seen, held_out = archive_records(200, seed=16), archive_records(50, seed=17)
    facts = [parse_record(record) for record in seen]
    commonest = {d: Counter(f[d] for f in facts if f[d]).most_common() for d in DIMENSIONS}

    def caption(**values) -> str:
        return caption_from_facts(Facts(**values))

    def mean(text: str) -> float:
        return sum(score(record, text).total for record in held_out) / len(held_out)

    first = {d: values[0][0] for d, values in commonest.items()}
    honest = {
        caption(**{d: first[d] for d in chosen})
        for number in range(1, 7)
        for chosen in combinations(DIMENSIONS, number)
    }
    best = max(map(mean, honest))
    top = {d: tuple(v for value, _ in values[:3] for v in value) for d, values in commonest.items()}
    text = caption(**first)
    words = Counter(word for f in facts for word in f.decoration).most_common(12)
    blind = {
        "two fabrics": caption(**first | {"fabric": top["fabric"][:2]}),
        "three techniques": caption(**first | {"technique": top["technique"]}),
        "three shapes": caption(**first | {"shape": top["shape"]}),
        "three dates": caption(**first | {"dating": top["dating"]}),
        "wide date": caption(**first | {"dating": (YearInterval(-600, -300),)}),
        "three scenes": caption(**first | {"decoration": tuple(dict.fromkeys(top["decoration"]))}),
        "commonest words": caption(**first | {"decoration": tuple(word for word, _ in words)}),
        "every hand": text + " Or by " + ", or by ".join(display(hand) for hand in top["attribution"]) + ".",
        "Painter of": caption(**{d: first[d] for d in DIMENSIONS if d != "attribution"}) + " By the Painter of.",
        "all of three": caption(**{d: tuple(dict.fromkeys(values)) for d, values in top.items()}),
        "another vase's caption": reference_caption(seen[0]),
        "the form of a caption": "Athenian black-figure, c. BCE, depicting a, with a, and, attributed to the Painter.",
        "all motifs": caption(**first) + " Satyr, maenad, warrior, woman, youth, Herakles, Athena, lion, siren, owl.",
        "thought and answer": f"<think>{text}</think> {text}",
        "unknown": "The fabric, technique, shape, date, decoration and painter are unknown.",
    }
    assert {name: earned for name, answer in blind.items() if (earned := mean(answer)) > best} == {}


TWO_VALUES = """{a} or {b}|{a} (or {b})|{a}, perhaps {b}|{a} (perhaps {b})|{a} [{b}]|{a} / {b}|either {a} or {b}|
{a}, possibly {b}|{a}; previously {b}|{a}, formerly thought {b}|{a} rather than {b}|{a}, not {b}|
not {a} but {b}|{a} (cf. {b})|{a}, compare {b}|{a}? {b}?|{a} -- {b}|{a} alias {b}|{a} = {b}|
{a}, if not {b}|{a}, unless {b}|{a} and/or {b}|{a}, in the style of {b}|{a} imitating {b}|
{a} influenced by {b}|{a} while some say {b}|{a}, though {b} is possible|{a} (museum label: {b})|
{a} * {b}|{a}~{b}|between {a} and {b}|{a} without being {b}|{a}, like {b}|{a} akin to {b}|
{a} no doubt; {b} no less|{a} from the collection of {b} vases|{a} found with {b} vases|
{a} reminiscent of {b}|<think>{b}</think>{a}|{a} <i>{b}</i>|{a}. Parallels: {b}|{a}. Label: {b}|
{a}. Note: {b}|{a} [1] {b} [2]""".replace("\n", "").split("|")


@pytest.mark.parametrize("wording", TWO_VALUES)
def test_no_wording_of_two_values_earns_more_than_one_of_them(wording):
    pairs = {
        "fabric": (("Athenian", "ATHENIAN"), ("Corinthian", "CORINTHIAN")),
        "technique": (("red-figure", "RED-FIGURE"), ("black-figure", "BLACK-FIGURE")),
        "shape": (("hydria", "HYDRIA"), ("skyphos", "SKYPHOS")),
        "dating": (("525–475 BCE", "-525 to -475"), ("600–550 BCE", "-600 to -550")),
        "decoration": (("a satyr", "SATYR"), ("a warrior", "WARRIOR")),
        "attribution": (("the Berlin Painter", "BERLIN P"), ("Lydos", "LYDOS")),
    }
    true = {dimension: values[0][1] for dimension, values in pairs.items()}
    for dimension, values in pairs.items():
        for first, second in (values, values[::-1]):
            stated = {d: v[0][0] for d, v in pairs.items()} | {dimension: wording.format(a=first[0], b=second[0])}
            text = (
                "{fabric} {technique} {shape}, {dating}, depicting {decoration}, attributed to {attribution}."
            ).format(**stated)
            earned = 0.0
            for value in values:
                record = {FIELD_OF_DIMENSION[d]: v for d, v in (true | {dimension: value[1]}).items()}
                parts = score(record, text).parts
                earned += sum(parts[d] for d in DIMENSIONS) - 5  # the five others are right
            assert earned <= 1 + 1e-9, (dimension, text)
