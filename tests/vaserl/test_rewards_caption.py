"""What must hold of the reward as a whole: gold captions win, silence and noise earn nothing, no attack pays."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vaserl.advantage import credit
from vaserl.rewards import (
    RewardConfig,
    RewardContext,
    fit_word_weights,
    gold_caption,
    lexicon,
    vase_caption,
    vase_question,
)
from vaserl.rewards.attacks import attacks
from vaserl.scoring import load_scorer
from vaserl.types import DIMENSIONS, Completion, Dimension, FinishReason, Group, Score, Task

PROMPT = "Describe the vase: its fabric, technique, shape, date, decoration and attribution."
RECORD = {
    "Fabric": "ATHENIAN",
    "Technique": "BLACK-FIGURE",
    "Shape Name": "AMPHORA, NECK",
    "Date": "-525 to -475",
    "Attributed To": "ANTIMENES P by BEAZLEY",
    "Decoration": "A,B: WARRIOR",
}


def task(record: dict[str, str], dimensions: tuple[Dimension, ...] = DIMENSIONS) -> Task:
    return Task(
        id="v1/caption", clip="", prompt=PROMPT, dimensions=dimensions, record=record, reference=gold_caption(record)
    )


def completion(text: str, finish_reason: FinishReason = "stop") -> Completion:
    return Completion(text=text, token_ids=(), logprobs=(), finish_reason=finish_reason, weights_version=0)


def score(record: dict[str, str], text: str, **options) -> Score:
    return vase_caption(task(record), completion(text), **options)


def names(vocabulary) -> st.SearchStrategy[str]:
    return st.sampled_from([name for e in lexicon(vocabulary).values() for name in (e.names[0], *e.record_names)])


HANDS = ["LYDOS", "BERLIN P", "ANTIMENES P", "LEAGROS GROUP", "GROUP E", "PAINTER OF LOUVRE F 6", "CLASS OF ATHENS 581"]
SCENES = """WARRIOR|HERAKLES AND THE LION|EYES|PALMETTES|DRAPED YOUTHS|WOMAN WITH HYDRIA AND PHIALE|CHARIOT (?)|
WARRIOR IN CORINTHIAN HELMET|DIONYSOS BETWEEN SATYRS|SYMPOSION, YOUTHS WITH CUPS AND KRATER|NET PATTERN|
ATHENA WITH OWL, SPEAR|LION ATTACKING BULL|KOMOS, MEN DANCING|DEPARTURE OF WARRIOR""".replace("\n", "").split("|")
attributions = st.lists(
    st.builds(
        "{}{} by BEAZLEY".format,
        st.sampled_from(["", "", "<em>Near</em> ", "<em>Manner of</em> "]),
        st.sampled_from(HANDS),
    ),
    min_size=1,
    max_size=2,
).map(" | ".join)
dates = st.builds(
    lambda start, length: f"{start} to {start + length}", st.integers(-700, -310), st.sampled_from([10, 25, 50, 100])
) | st.integers(-700, -310).map(str)
decorations = st.lists(st.sampled_from(SCENES), min_size=1, max_size=3).map(
    lambda scenes: " | ".join(f"{label}: {scene}" for label, scene in zip("ABI", scenes, strict=False))
)
records = (
    st.fixed_dictionaries(
        {},
        optional={
            "Fabric": names("fabric") | st.just("UNHEARD OF"),
            "Technique": names("technique") | st.just("SCRATCHED"),
            "Shape Name": names("shape") | st.just("MORTARIUM"),
            "Date": dates,
            "Attributed To": attributions,
            "Decoration": decorations,
            "Provenance": st.just("ITALY, VULCI"),
        },
    )
    .filter(lambda r: set(r) - {"Provenance"})
    .map(
        lambda r: {field: value.upper().replace("<EM>", "<em>").replace("</EM>", "</em>") for field, value in r.items()}
    )
)
full_records = records.filter(lambda r: len(set(r) - {"Provenance"}) == 6)


# 1. The perfect answer and the empty ones.


@settings(deadline=None)
@given(records)
def test_the_gold_caption_of_any_record_scores_at_least_95_percent_and_the_bonus(record):
    perfect = score(record, gold_caption(record))
    assert perfect.parts["bonus"] == pytest.approx(0.1)
    assert perfect.total >= 0.95 + perfect.parts["bonus"]


def test_a_perfect_caption_earns_everything():
    perfect = score(RECORD, gold_caption(RECORD))
    assert perfect.total == pytest.approx(1.1)
    assert perfect.parts == {
        **{dimension: 1.0 for dimension in DIMENSIONS},
        **{f"raw/{dimension}": 1.0 for dimension in DIMENSIONS},
        **{f"has_target/{dimension}": 1.0 for dimension in DIMENSIONS},
        **{"penalty/length": 0.0, "penalty/repetition": 0.0, "penalty/irrelevance": 0.0},
        "bonus": pytest.approx(0.1),
    }


def test_a_decoration_of_sixty_words_still_has_a_gold_caption():
    scenes = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}figure" for i in range(40)]
    record = RECORD | {"Decoration": "A: " + " BETWEEN THE ".join(scenes).upper()}
    perfect = score(record, gold_caption(record))
    assert perfect.total >= 0.95 + perfect.parts["bonus"]


@settings(deadline=None)
@given(records, st.text("bcdfgjkqvwxz ", max_size=80))
def test_saying_nothing_earns_nothing(record, noise):
    for text in ("", "   ", PROMPT, "What is it?", noise):
        assert score(record, text).total <= 0, text


# 2. The constant answer.

CONSTANT = "Athenian black-figure amphora, c. 525–475 BCE"


@settings(deadline=None)
@given(records)
def test_the_constant_answer_never_beats_the_honest_one(record):
    assume(gold_caption(record).rstrip(".") != CONSTANT)
    assert score(record, CONSTANT).total < score(record, gold_caption(record)).total


def test_the_constant_answer_by_hand():
    # Fabric, technique: 0.20 each; the amphora's family: 0.85 · 0.15; the date: 0.15. The constant's 8 words (athenian
    # black figure amphora c 525 475 bce) all stand in the gold caption's 17, in the blocks "athenian black figure" and
    # "amphora c 525 475 bce".
    constant = score(RECORD, CONSTANT)
    assert constant.parts["shape"] == 0.85
    assert constant.parts["bonus"] == pytest.approx(0.1 * 2 * 8 / (8 + 17))
    assert constant.total == pytest.approx(0.2 + 0.2 + 0.85 * 0.15 + 0.15 + constant.parts["bonus"])


# 3. Attacks.


RECORD_ATTACKS = attacks(gold_caption(RECORD))


@settings(deadline=None)
@given(records)
def test_every_attack_scores_below_the_honest_caption(record):
    honest = score(record, gold_caption(record)).total
    for name, text in attacks(gold_caption(record)).items():
        if name == "shuffled words" and text == gold_caption(record):
            continue  # the only order of one or two words
        assert score(record, text).total < honest, name
    assert vase_caption(task(record), completion(gold_caption(record), "length")).total < honest


def test_naming_two_values_earns_half():
    gold = gold_caption(RECORD)
    both = score(RECORD, gold.replace("black-figure", "black-figure or red-figure"))
    assert (both.parts["raw/technique"], both.parts["technique"]) == (1.0, 0.5)
    labelled = score(RECORD, gold + " Technique: red-figure")
    assert labelled.parts["technique"] == 0.5
    three = score(RECORD, gold.replace("the Antimenes", "Lydos or the Pan Painter or the Antimenes"))
    assert three.parts["attribution"] == pytest.approx(1 / 3)
    two_dates = score(RECORD, gold.replace("c. 525–475 BCE", "c. 525–475 BCE or 400–350 BCE"))
    assert two_dates.parts["dating"] == 0.5


def test_several_values_of_the_record_ask_for_all_of_them_but_alternatives_do_not():
    record = RECORD | {
        "Technique": "BLACK-FIGURE | WHITE GROUND",
        "Attributed To": "LYDOS by BEAZLEY | EXEKIAS by BOTHMER",
    }
    assert score(record, "Athenian black-figure vase by Exekias").parts["technique"] == 0.5
    assert score(record, "Athenian black-figure vase by Exekias").parts["attribution"] == 1
    assert score(record, "Athenian black-figure vase on white ground").parts["technique"] == 1
    assert score(record, "Athenian vase by Exekias or by Lydos").parts["attribution"] == 1
    assert score(record, "Athenian vase by Exekias, near Lydos or by Psiax").parts["attribution"] < 1


def test_the_widest_date_earns_nothing():
    parts = score(RECORD, gold_caption(RECORD).replace("525–475 BCE", "1000 BCE–1 CE")).parts
    # 50 years of 1,000 (1 CE begins where 1 BCE ends).
    assert (parts["raw/dating"], parts["dating"]) == (pytest.approx(0.05), 0)


def test_look_alikes_are_not_the_letters_they_look_like():
    parts = score(RECORD, gold_caption(RECORD).translate(str.maketrans("ao", "ао"))).parts
    assert [parts[d] for d in ("fabric", "technique", "shape", "decoration", "attribution")] == [0] * 5


@pytest.mark.parametrize("name", ["vaserl.rewards:VaseReward", "tests.rewards_for_tests:spread_of_lengths"])
def test_an_empty_group_has_no_scores_and_costs_its_neighbours_nothing(name: str):
    empty = Group(task=task(RECORD), prompt_ids=(), completions=())
    full = replace(empty, completions=(completion("Athenian amphora"), completion("")))
    scorer = load_scorer([name])
    alone = scorer.score(full).scores
    assert [scored.scores for scored in scorer.score_all([empty, full, empty])] == [(), alone, ()]
    assert credit(scorer.score_all([empty, full]))[0] == ()


# 4. Laws.


@settings(deadline=None)
@given(full_records, st.data())
def test_adding_a_correct_fact_never_costs(record, data):
    fields = list(record)
    kept = data.draw(st.lists(st.sampled_from(fields), unique=True, min_size=1))
    fewer = {field: record[field] for field in fields if field in kept}
    assume(set(fewer) - {"Provenance"})
    added = data.draw(st.sampled_from(fields))
    more = {field: record[field] for field in fields if field in kept or field == added}
    before, after = score(record, gold_caption(fewer)), score(record, gold_caption(more))
    for dimension in DIMENSIONS:
        assert after.parts[dimension] >= before.parts[dimension]
    assert after.total >= before.total - 1e-12


@settings(deadline=None)
@given(records, st.text(max_size=300) | st.sampled_from(sorted(RECORD_ATTACKS.values(), key=len)))
def test_the_reward_is_bounded_and_the_sum_of_its_parts(record, text):
    result = score(record, text)
    assert -0.5 <= result.total <= 1.1 + 1e-12
    stated = [d for d in DIMENSIONS if result.parts[f"has_target/{d}"]]
    config = RewardConfig()
    earned = sum(config.weights[d] * result.parts[d] for d in stated) / sum(config.weights[d] for d in stated)
    penalty = sum(result.parts[f"penalty/{name}"] for name in ("length", "repetition", "irrelevance"))
    assert result.total == pytest.approx(earned - penalty + result.parts["bonus"])


# 5. The penalties and the bonus by hand.


def test_length():
    def length(num_words: int, finish_reason: FinishReason = "stop") -> float:
        return vase_caption(task(RECORD), completion("w " * num_words, finish_reason)).parts["penalty/length"]

    assert [length(n) for n in (0, 4, 5, 60)] == [0.1, 0.1, 0, 0]
    assert length(90) == pytest.approx(0.1)
    assert [length(n) for n in (120, 1000)] == [0.2, 0.2]
    assert length(20, "length") == 0.2
    # 1,440 signs without a space are 60 words of 24, 24 more make 61: 0.2 / 60.
    assert score(RECORD, "w" * 1440).parts["penalty/length"] == 0
    assert score(RECORD, "w" * 1464).parts["penalty/length"] == pytest.approx(0.2 / 60)


def test_repetition():
    # Six words "a b c a b c": 4 trigrams, abc twice: 3 distinct.
    assert score(RECORD, "a b c a b c").parts["penalty/repetition"] == pytest.approx(0.2 * (1 - 3 / 4))
    assert score(RECORD, "a a a a a").parts["penalty/repetition"] == 0
    assert score(RECORD, "a a a a a a").parts["penalty/repetition"] == pytest.approx(0.2 * 3 / 4)


def test_irrelevance():
    # Content words: warrior (target), lekythos (lexicon), zebra, bicycle; "depicting" and "vase" are catalogue words
    # and relevant, too: 2 of 6.
    text = "A vase depicting a warrior with a lekythos, a zebra and a bicycle"
    assert score(RECORD, text).parts["penalty/irrelevance"] == pytest.approx(0.1 * 2 / 6)


def test_an_attribution_out_of_nowhere_is_irrelevant():
    record = {field: value for field, value in RECORD.items() if field != "Attributed To"}
    gold = gold_caption(record)
    invented = score(record, gold.rstrip(".") + ", attributed to the Berlin Painter.")
    # Content words: athenian black figure neck amphora bce depicting warrior attributed berlin painter: 1 of 11.
    assert invented.parts["penalty/irrelevance"] == pytest.approx(0.1 / 11)
    assert "attribution" not in invented.parts
    assert invented.total < score(record, gold).total


def test_form_alone_earns_no_bonus():
    record = {"Fabric": "ATHENIAN", "Decoration": "WARRIOR"}
    # "… vase depicting a …" follows the target's words, but states nothing that is right.
    parts = score(record, "Corinthian vase, depicting a lion.").parts
    assert (parts["fabric"], parts["decoration"], parts["bonus"]) == (0, 0, 0)
    # athenian vase depicting a | warrior, lion: 4 words of 5 and 5.
    assert score(record, "Athenian vase, depicting a lion.").parts["bonus"] == pytest.approx(0.1 * 0.8)
    # 1 word of 1 and 9 or more is a ratio of 0.2.
    assert score(RECORD, "Athenian").parts["bonus"] == 0


def test_a_missing_target_is_dropped_or_counts_zero():
    record = {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE"}
    text = "This is an Athenian red-figure vase."
    # Fabric and technique weigh the same: half of what there is, or 0.2 of the whole.
    for missing, expected in (("drop", 0.5), ("zero", 0.2)):
        result = score(record, text, config=RewardConfig(missing=missing))
        assert result.total - result.parts["bonus"] == pytest.approx(expected)
        assert result.parts["has_target/shape"] == 0
        assert "shape" not in result.parts


# 6. The same text always gives the same score.


def test_scores_do_not_depend_on_the_process():
    program = (
        "from tests.vaserl.test_rewards_caption import *\n"
        "print([(n, repr(score(RECORD, t).total)) for n, t in RECORD_ATTACKS.items()])"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].strip() == str([(n, repr(score(RECORD, t).total)) for n, t in RECORD_ATTACKS.items()])


# Questions.


@pytest.mark.parametrize(
    ("dimension", "answer", "total"),
    [
        ("fabric", "The fabric of the vase is ATHENIAN.", 1.0),
        ("fabric", "Corinthian", 0.0),
        ("technique", "black-figure or red-figure", 0.5),
        ("shape", "an amphora", 0.85),
        ("dating", "c. 520–470 BCE", 45 / 55),
        ("dating", "c. 600–500 BCE", 0.0),
        ("attribution", "Antimenes Painter", 1.0),
        ("attribution", "near the Antimenes Painter", 0.8),
        ("decoration", "A warrior", 1.0),
        # 30 different words: halfway from 20 to 40.
        ("fabric", "Athenian " + " ".join(f"w{i}" for i in range(29)), 0.9),
        ("fabric", "", 0.0),
    ],
)
def test_questions(dimension, answer, total):
    assert vase_question(task(RECORD, (dimension,)), completion(answer)).total == pytest.approx(total)


def test_a_question_asks_for_one_dimension():
    with pytest.raises(ValueError, match="one dimension, not 6"):
        vase_question(task(RECORD), completion("Athenian"))


# Settings.


def test_the_default_constants_are_those_of_version_1():
    config = RewardConfig()
    assert config.version == "vase-reward/1"
    assert [config.weights[d] for d in DIMENSIONS] == [0.2, 0.2, 0.15, 0.15, 0.2, 0.1]
    assert config.tau == 0.7


@pytest.mark.parametrize(
    "settings",
    [
        {"tua": 0.7},
        {"tau": 1.5},
        {"tau": "0.7"},
        {"weights": {"colour": 1.0}},
        {"weights": dict.fromkeys(DIMENSIONS, 0.0)},
        {"similarity": "embedding"},
        {"encoder": "some/model"},
        {"length_free_words": 120},
        {"question_full_words": 20},
        {"version": "vase-reward/2"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValidationError):
        RewardConfig.model_validate(settings)


def test_an_encoder_replaces_the_comparison_of_decoration_and_attribution():
    config = RewardConfig(similarity="embedding", encoder="toy")
    # A toy encoder: does the text speak of fighting, of painters?
    context = RewardContext(
        encode=lambda texts: [(float("warrior" in t or "hoplite" in t), float("painter" in t)) for t in texts]
    )
    parts = score(RECORD, "Vase depicting a hoplite, by the Pan Painter", config=config, context=context).parts
    assert (parts["decoration"], parts["attribution"]) == (1, 1)
    assert score(RECORD, "Vase depicting a hoplite, by the Pan Painter").parts["decoration"] == 0
    with pytest.raises(ValueError, match="encode"):
        score(RECORD, "Vase depicting a hoplite", config=config)


def test_rare_words_count_more():
    weights, unseen = fit_word_weights([RECORD] * 9 + [{"Decoration": "LION"}])
    context = RewardContext(word_weights=weights, unseen_weight=unseen)
    record = RECORD | {"Decoration": "WARRIOR AND LION"}
    common, rare = (
        score(record, f"Vase, depicting a {word}", context=context).parts["raw/decoration"]
        for word in ("warrior", "lion")
    )
    assert common < 2 / 3 < rare


def test_a_task_without_a_record_is_judged_by_its_reference():
    reference_task = Task(
        id="v1", clip="", prompt=PROMPT, dimensions=DIMENSIONS, record={}, reference=gold_caption(RECORD)
    )
    assert vase_caption(reference_task, completion(gold_caption(RECORD))).total == pytest.approx(1.1)
