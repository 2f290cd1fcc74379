"""Tests the six similarities and their invariances, and the matching blocks of the bonus against difflib's."""

from difflib import SequenceMatcher
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaserl.rewards.vase import Attribution, RewardConfig, RewardContext, Term, fit_word_weights, lexicon, parse_caption
from vaserl.rewards.vase.bonus import sequence_ratio
from vaserl.rewards.vase.similarity import (
    attribution_similarity,
    cosine_similarity,
    shape_similarity,
    term_similarity,
    words_similarity,
)

CONFIG, NOTHING = RewardConfig(), RewardContext()


def known(id: str) -> Term:
    return Term(id, "")


def test_term_similarity_by_hand():
    assert term_similarity(known("athenian"), known("athenian")) == 1
    assert term_similarity(known("athenian"), known("apulian")) == 0
    assert term_similarity(known("athenian"), Term("", "athenian ware")) == 0
    # "mortarium" in "mortaria": 7 letters in order ("mortari" + none) of 9 + 8: 14 / 17.
    assert term_similarity(Term("", "mortarium"), Term("", "mortaria")) == pytest.approx(14 / 17)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("krater/bell", "krater/bell", 1.0),
        ("krater/bell", "krater", 0.85),
        ("krater/bell", "krater/calyx", 0.5),
        ("krater/bell", "amphora/bail", 0.0),
        ("krater", "kantharos", 0.0),
    ],
)
def test_shape_similarity_by_hand(a, b, expected):
    assert shape_similarity(known(a), known(b), CONFIG) == expected
    assert shape_similarity(known(b), known(a), CONFIG) == expected


def test_attribution_similarity_by_hand():
    def similarity(a: tuple, b: tuple) -> float:
        return attribution_similarity(Attribution(*a), Attribution(*b), CONFIG)

    assert similarity(("antimenes", "painter"), ("antimenes", "painter")) == 1
    assert similarity(("antimenes", "painter"), ("antimenes", "painter", "near")) == 0.8
    assert similarity(("antimenes", "painter"), ("antimenes", "group")) == 0.8
    # "berlin" and "brolan" share b, r, l and n in order, 8 / 12: the word "Painter" that both have earns nothing.
    assert similarity(("berlin", "painter"), ("brolan", "painter")) == pytest.approx(8 / 12)
    # two hands of the lexicon, of which 5 letters in order would make 10 / 12
    assert similarity(("chelis", ""), ("chares", "")) == 0
    assert similarity(("of berlin 1686", "painter"), ("berlin", "painter")) == 0
    # "berlin" without its last letter can only mean the Berlin Painter: 10 / 11
    assert similarity(("berln", "painter"), ("berlin", "painter")) == pytest.approx(10 / 11)
    assert similarity(("eucharidis", "painter"), ("euergides", "painter")) == 0
    # unknown hands: the numbers of a museum are equal or different
    assert similarity(("of oslo 1501", "painter"), ("of oslo 1519", "painter")) == 0
    assert similarity(("of oslo 1501", "painter"), ("of oslo 1501", "painter")) == 1
    assert similarity(("of oslo a 15", "painter"), ("of oslo b 15", "painter")) == 0
    assert similarity(("of oslo", "painter"), ("of oslo 15", "painter")) == 0
    # "oslo" in "oslos": 8 / 9 of the letters, and "15" and a blank on both sides: 14 / 15
    assert similarity(("of oslo 15", "painter"), ("of oslos 15", "painter")) == pytest.approx(14 / 15)
    # the bare name of a painter, and two entries of one name
    assert similarity(("antimenes", ""), ("antimenes", "painter")) == 0.8
    assert similarity(("brygos", ""), ("brygos", "painter")) == 0


def test_words_similarity_by_hand():
    # Two of three words on one side, two of two on the other: P = 2/3, R = 1, F1 = 0.8.
    assert words_similarity(("a", "b", "c"), ("a", "b"), CONFIG, NOTHING) == pytest.approx(0.8)
    # "herakles" ~ "heracles": 7 of 8 letters, 14 / 16 = 0.875, a match.
    assert words_similarity(("herakles",), ("heracles",), CONFIG, NOTHING) == 1
    # "satyr" ~ "martyr": s-a-t-y-r / a-r-t-y-r share "atyr", 8 / 11, no match.
    assert words_similarity(("satyr",), ("martyr",), CONFIG, NOTHING) == 0
    # Forms of one verb are one word: "pursuing" ~ "pursue" share only 10 / 14 of their letters.
    for forms in (
        ("pursuing", "pursue"),
        ("running", "run"),
        ("carried", "carry"),
        ("winged", "wing"),
        ("flee", "fleeing"),
    ):
        assert words_similarity(forms[:1], forms[1:], CONFIG, NOTHING) == 1, forms
    assert words_similarity(("ring",), ("rise",), CONFIG, NOTHING) == 0
    # One to one: two near words on one side can't both use the one on the other. P = 1/2, R = 1.
    assert words_similarity(("warriors", "warriorss"), ("warriorsx",), CONFIG, NOTHING) == pytest.approx(2 / 3)
    weighted = RewardContext(word_weights={"lion": 3.0}, unseen_weight=1.0)
    # P = 3 / 4, R = 3 / 3: F1 = 6 / 7.
    assert words_similarity(("lion", "youth"), ("lion",), CONFIG, weighted) == pytest.approx(6 / 7)


def test_fit_word_weights_are_inverse_document_frequencies():
    records = [{"Decoration": "A: LION | B: LIONS"}, {"Decoration": "LION AND YOUTH"}, {"Fabric": "ATHENIAN"}]
    weights, unseen = fit_word_weights(records)
    # 3 records; two name a lion, one a youth.
    assert weights == {"lion": pytest.approx(1 + log(4 / 3)), "youth": pytest.approx(1 + log(4 / 2))}
    assert unseen == pytest.approx(1 + log(4))


def test_cosine_similarity_by_hand():
    vectors = {"a": (1.0, 0.0), "b": (1.0, 1.0), "c": (-1.0, 0.0), "": (0.0, 0.0)}

    def encode(texts):
        return [vectors[text] for text in texts]

    assert cosine_similarity("a", "b", encode) == pytest.approx(2**-0.5)
    assert cosine_similarity("a", "c", encode) == 0
    assert cosine_similarity("a", "", encode) == 0


shapes = st.sampled_from([known(i) for i in lexicon("shape")]) | st.text("abcdef ", min_size=1).map(
    lambda t: Term("", t)
)
hands = st.builds(
    Attribution,
    st.text("aeinprt ", min_size=1, max_size=12),
    st.sampled_from(["", "painter", "group"]),
    st.sampled_from(["", "near", "manner"]),
)
words = st.lists(st.text("aeklrs", min_size=1, max_size=9), unique=True, max_size=8)
weights = st.dictionaries(st.text("aeklrs", min_size=1, max_size=9), st.floats(0.1, 5), max_size=8)


@settings(deadline=None)
@given(shapes, shapes)
def test_shape_similarity_is_symmetric(a, b):
    assert shape_similarity(a, b, CONFIG) == shape_similarity(b, a, CONFIG)
    assert term_similarity(a, b) == term_similarity(b, a)
    assert shape_similarity(a, a, CONFIG) == 1


@settings(deadline=None)
@given(hands, hands)
def test_attribution_similarity_is_symmetric(a, b):
    value = attribution_similarity(a, b, CONFIG)
    assert value == attribution_similarity(b, a, CONFIG)
    assert 0 <= value <= 1
    assert attribution_similarity(a, a, CONFIG) == 1


@settings(deadline=None)
@given(words, words, weights)
def test_words_similarity_is_symmetric(a, b, word_weights):
    context = RewardContext(word_weights=word_weights)
    value = words_similarity(a, b, CONFIG, context)
    assert value == pytest.approx(words_similarity(b, a, CONFIG, context))
    assert value == pytest.approx(words_similarity(a[::-1], b, CONFIG, context))
    assert 0 <= value <= 1 + 1e-12
    if a:
        assert words_similarity(a, a, CONFIG, context) == pytest.approx(1)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=14), st.lists(st.sampled_from("abcde"), max_size=14))
def test_sequence_ratio_equals_difflibs(a, b):
    expected = SequenceMatcher(None, a, b, autojunk=False).ratio() if a and b else 0.0
    assert sequence_ratio(a, b) == pytest.approx(expected)


variants = st.lists(st.sampled_from("-‐‑–—−"), min_size=12, max_size=12)


@settings(deadline=None)
@given(
    variants,
    st.sampled_from(["bc", "BC", "bce", "BCE", "B.C.", "b.c.e."]),
    st.sampled_from([" ", "  ", "\u00a0", " \t "]),
    st.booleans(),
)
def test_parse_caption_ignores_case_dashes_spaces_and_eras(dashes, era, space, upper):
    text = (
        "Athenian black-figure neck-amphora, c. 525-475 BCE, depicting a warrior, attributed to the Antimenes Painter"
    )
    expected = parse_caption(text)
    marks = iter(dashes)
    text = "".join(next(marks) if c == "-" else c for c in text).replace("BCE", era).replace(" ", space)
    assert parse_caption(text.upper() if upper else text) == expected
