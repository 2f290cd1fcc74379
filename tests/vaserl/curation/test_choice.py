"""Tests best view, split and retention, which are computed from rows without pixels."""

import hashlib
import json
import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.curation_stages import over_batches
from vaserl.curation.job.batch import batch_of, rejecting, remaining, rows_of, with_column
from vaserl.curation.outcome.retention import (
    best_view_report,
    emptied,
    filter_report,
    reasons,
    retention_counts,
)
from vaserl.curation.outcome.split import drawn, position, split_vases, stratum_of
from vaserl.curation.pipeline import PIPELINE
from vaserl.curation.settings import BestViewSettings, SplitSettings
from vaserl.curation.stages.best_view import BEST_VIEW, BestView
from vaserl.curation.stages.intact import INTACT
from vaserl.curation.stages.quality import QUALITY
from vaserl.dataset import Row


def row(photo: str, vase_id: str, view: str, front: float = math.nan, rejected_by: str = "") -> dict:
    return {
        "photo": photo,
        "photo_sha256": hashlib.sha256(photo.encode()).hexdigest(),
        "vase_id": vase_id,
        "view": view,
        "front": front,
        "rejected_by": rejected_by,
        "reason": "",
    }


def seen(photo: str, view: str, side: float, above: float = 0.0) -> dict:
    """Returns a row of vase "a" with what the cut-out network sees."""
    return row(photo, "a", view) | {"side": side, "above": above}


def winners(rows: list[dict]) -> set[str]:
    return {r["photo"] for r in rows_of(over_batches(BEST_VIEW, BestView)(batch_of(rows))) if not r["rejected_by"]}


def test_best_view_most_frontal_view_of_each_vase_wins_and_is_named():
    rows = [row("a1", "a", "1", 0.2), row("a2", "a", "2", 0.9), row("b1", "b", "1", 0.1)]
    judged = {r["photo"]: r for r in rows_of(over_batches(BEST_VIEW, BestView)(batch_of(rows)))}
    assert judged["a1"]["rejected_by"] == "best_view"
    assert judged["a1"]["reason"] == "of 2 views, view 2 is shown more frontally"
    assert not judged["a2"]["rejected_by"] and not judged["b1"]["rejected_by"]


def test_best_view_rejected_views_neither_win_nor_change():
    rows = [row("a1", "a", "1", 0.2), row("a2", "a", "2", 0.9, rejected_by="intact")]
    judged = {r["photo"]: r for r in rows_of(over_batches(BEST_VIEW, BestView)(batch_of(rows)))}
    assert not judged["a1"]["rejected_by"]
    assert judged["a2"]["rejected_by"] == "intact"


def test_best_view_ties_go_by_content_hash_and_then_by_path():
    first, second = row("x", "a", "1", 0.5) | {"photo_sha256": "1"}, row("y", "a", "2", 0.5) | {"photo_sha256": "0"}
    assert winners([first, second]) == {"y"}, "scored ones not by their number"
    copies = [row(name, "a", "1", 0.5) | {"photo_sha256": "0"} for name in ("q", "p")]
    assert winners(copies) == {"p"}


def test_best_view_threshold_judges_an_only_view_like_one_of_many():
    rows = [row("a1", "a", "1", 0.1), row("b1", "b", "1", 0.1), row("b2", "b", "2", 0.4), row("c1", "c", "1")]
    judged = {
        r["photo"]: r
        for r in rows_of(over_batches(BEST_VIEW, BestView, BestViewSettings(threshold=0.2))(batch_of(rows)))
    }
    assert judged["a1"]["reason"] == judged["b1"]["reason"] == "shown too little from the front: 0.100, needed 0.2"
    assert judged["c1"]["reason"] == "no model has judged how frontal it is"
    assert [photo for photo, r in judged.items() if not r["rejected_by"]] == ["b2"]
    assert winners(rows) == {"a1", "b2", "c1"}, "without a threshold every vase keeps one"
    (just,) = rows_of(
        over_batches(BEST_VIEW, BestView, BestViewSettings(threshold=0.1))(batch_of([row("a1", "a", "1", 0.1)]))
    )
    assert not just["rejected_by"], "the threshold is the least that is let through"


def test_best_view_unscored_views_go_by_number():
    assert winners([row("x", "a", "10"), row("y", "a", "2")]) == {"y"}
    assert winners([row("q", "a", ""), row("p", "a", "")]) == {"p"}
    assert winners([row("x", "a", "1"), row("y", "a", "2", 0.1)]) == {"y"}, "behind those that have a score"
    assert winners([row("x", "a", "front"), row("y", "a", "2²")]) == {"x"}, "a digit of another kind is no number"
    (loser,) = (
        r
        for r in rows_of(over_batches(BEST_VIEW, BestView)(batch_of([row("x", "a", "10"), row("y", "a", "2")])))
        if r["rejected_by"]
    )
    assert loser["reason"] == "of 2 views, view 2 comes first by its name; no model has judged how frontal they are"


def test_best_view_side_comes_before_others_whatever_their_numbers():
    side, above, sherd = seen("s", "3", 0.9), seen("a", "2", 0.2, 0.7), seen("o", "1", 0.01)
    assert winners([sherd, above, side]) == {"s"}
    assert winners([sherd, seen("d", "2", 0.02)]) == {"o"}, "the numbers decide where the network sees no whole vase"
    assert winners([seen("h", "1", 0.3), side]) == {"s"}


def test_best_view_names_decide_among_whole_vases_and_never_the_alphabet():
    assert winners([seen("f", "front", 0.6), seen("b", "back", 0.99), seen("s", "side", 0.99)]) == {"f"}
    lettered = [seen("1", "side-a", 0.9), seen("2", "side-b", 0.99), seen("3", "back", 0.99)]
    assert winners([*lettered, seen("4", "front", 0.01)]) == {"2"}, "between front and back, and the surest"
    assert winners([seen("x", "", 0.8), seen("y", "", 0.9)]) == {"y"}, "without names the network decides"
    assert winners([seen("x", "", 0.5, 0.45), seen("y", "1", 0.0, 0.9)]) == {"x"}


def test_best_view_name_and_network_may_each_rule_a_photograph_out():
    sherd, whole, detail = seen("f", "front", 0.05), seen("b", "back", 0.8), seen("d", "detail of side A", 0.95)
    judged = {r["photo"]: r for r in rows_of(over_batches(BEST_VIEW, BestView)(batch_of([sherd, detail, whole])))}
    assert not judged["b"]["rejected_by"]
    assert judged["f"]["reason"] == "of 3 views, view back comes first by what the network sees and by its name"
    assert winners([detail, seen("t", "top", 0.9), whole]) == {"b"}
    transparent = row("n", "a", "front")  # not judged, so its name counts
    assert winners([transparent | {"side": math.nan, "above": math.nan}, whole]) == {"n"}


def test_best_view_score_goes_before_what_the_network_sees():
    assert winners([seen("f", "front", 0.9), seen("t", "top", 0.0) | {"front": 0.2}]) == {"t"}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "2", "10", ""]), st.sampled_from([0.1, 0.2])),
        min_size=1,
    ),
    st.randoms(),
)
def test_best_view_ignores_the_order_of_rows_and_keeps_one_of_each_vase(entries, random):
    rows = [row(f"p{k}", *entry) for k, entry in enumerate(entries)]
    shuffled = random.sample(rows, len(rows))
    assert winners(rows) == winners(shuffled)
    assert len(winners(rows)) == len({vase for vase, _, _ in entries})


def sides_beside(rows: list[dict]) -> list[tuple[str, str]]:
    """Returns (photo, side) of the further views of the only vase's best one."""
    (winner,) = (r for r in rows_of(over_batches(BEST_VIEW, BestView)(batch_of(rows))) if not r["rejected_by"])
    entries = json.loads(winner["other_views"] or "[]")
    digests = {r["photo"]: r["photo_sha256"] for r in rows}
    assert all(entry["photo_sha256"] == digests[entry["photo"]] for entry in entries)
    return [(entry["photo"], entry["side"]) for entry in entries]


@given(st.permutations(["front", "back", "left", "right", "top", "detail", "3"]))
def test_best_view_adds_the_views_from_the_other_sides_in_any_order_of_rows(views):
    rows = [row(view, "a", view) for view in views]
    assert sides_beside(rows) == [("right", "right"), ("back", "back"), ("left", "left")]


def test_best_view_counts_sides_from_itself():
    # from the left view, the front is on the right and the back on the left, as one walks around the vase
    scores = {"back": 0.1, "front": 0.2, "left": 0.9, "right": 0.0}
    rows = [row(view[0], "a", view, score) for view, score in scores.items()]
    assert sides_beside(rows) == [("f", "right"), ("r", "back"), ("b", "left")]


def test_best_view_adds_no_view_that_may_be_the_wrong_one():
    assert sides_beside([row("1", "a", "1"), row("2", "a", "2"), row("b", "a", "back")]) == []
    unsure = [row("f", "a", "front"), row("s", "a", "profile")]
    assert sides_beside(unsure) == [], "it may be the right or the left"
    assert sides_beside([*unsure, row("b", "a", "back")]) == [("b", "back"), ("s", "")]
    rejected = [row("f", "a", "front"), row("b", "a", "back", rejected_by="quality")]
    assert sides_beside(rejected) == []
    twice = [row("f", "a", "front"), row("b", "a", "back"), row("b2", "a", "back 2")]
    assert sides_beside(twice) == [("b", "back")], "one of each side"
    copy = [row("f", "a", "front"), row("b", "a", "back") | {"photo_sha256": row("f", "a", "front")["photo_sha256"]}]
    assert sides_beside(copy) == [], "the same picture under two names"
    terms = [row("f", "a", "front") | {"rights": "CC0"}, row("b", "a", "back") | {"rights": "all reserved"}]
    assert sides_beside(terms) == [], "the model would be under the terms of both"
    refused = [seen("f", "front", 0.9), seen("b", "back", 0.01), seen("l", "left", 0.6)]
    assert sides_beside(refused) == [("l", "left")], "the network takes the back for something else"
    settings = BestViewSettings(threshold=0.2)
    scored = batch_of([row("f", "a", "front", 0.5), row("b", "a", "back", 0.1), row("l", "a", "left", 0.3)])
    winner = next(r for r in rows_of(over_batches(BEST_VIEW, BestView, settings)(scored)) if not r["rejected_by"])
    assert [entry["photo"] for entry in json.loads(winner["other_views"])] == ["l"], "not those below the threshold"


def test_batch_functions_leave_other_rows_and_the_input_alone():
    batch = batch_of([row("a", "a", "1"), row("b", "b", "1", rejected_by="quality")])
    assert remaining(batch) == [0]
    rejected = rejecting(with_column(batch, "mesh", {0: "m"}, ""), "lift", {0: "a long reason, not cut off"})
    assert rejected["reason"].tolist() == ["a long reason, not cut off", ""]
    assert rejected["mesh"].tolist() == ["m", ""]
    assert batch["rejected_by"].tolist() == ["", "quality"]


strata = st.dictionaries(st.text(min_size=1, max_size=6), st.sampled_from(["cup", "jug", "jar"]), max_size=40)


@given(strata, st.integers(0, 12), st.integers(0, 12))
def test_split_vases_takes_exactly_the_number(vases, num_test, num_val):
    splits = split_vases(vases, SplitSettings(num_test=num_test, num_val=num_val), seed=3)
    counts = Counter(splits.values())
    assert counts["test"] == min(num_test, len(vases))
    assert counts["val"] == min(num_val, len(vases) - counts["test"])
    assert set(splits) == set(vases)


@given(strata.filter(bool), st.integers(0, 40), st.integers(0, 3))
def test_drawn_has_each_stratum_in_its_share(vases, number, seed):
    chosen = drawn(vases, number, seed)
    sizes = Counter(vases.values())
    for stratum, found in Counter(vases[v] for v in chosen).items():
        # largest remainders: each share is rounded up or down, never further
        due = min(number, len(vases)) * sizes[stratum] / len(vases)
        assert abs(found - due) < 1
        members = sorted((v for v in vases if vases[v] == stratum), key=lambda v: (position(v, seed), v))
        assert {v for v in chosen if vases[v] == stratum} == set(members[:found])


def test_drawn_remainder_goes_to_the_largest_remainder_and_then_to_the_next_hash():
    vases = {f"{stratum}{k}": stratum for stratum, size in (("a", 5), ("b", 3), ("c", 2)) for k in range(size)}
    # due are 2.0, 1.2 and 0.8
    assert Counter(vases[v] for v in drawn(vases, 4, seed=0)) == {"a": 2, "b": 1, "c": 1}
    even = {f"{stratum}{k}": stratum for stratum in "ab" for k in range(4)}
    for seed in range(8):  # due are 1.5 and 1.5
        second = {s: sorted(position(v, seed) for v, own in even.items() if own == s)[1] for s in "ab"}
        counts = Counter(even[v] for v in drawn(even, 3, seed))
        assert counts.most_common(1) == [(min(second, key=second.__getitem__), 2)]


@given(strata, strata, st.sampled_from([0.1, 0.3, 0.6]), st.integers(0, 5))
def test_split_vases_later_vases_never_move_one_between_test_and_the_rest(vases, later, test_share, seed):
    shares = SplitSettings(test_share=test_share, val_share=0.2)
    before, after = split_vases(vases, shares, seed), split_vases({**vases, **later}, shares, seed)
    assert all((after[vase] == "test") == (split == "test") for vase, split in before.items())


def test_split_vases_meets_the_shares():
    vases = {f"v{k}": f"s{k % 7}" for k in range(2000)}
    counts = Counter(split_vases(vases, SplitSettings(test_share=0.1, val_share=0.2), seed=0).values())
    # binomial: 200 +- 13, so five standard deviations; validation is drawn to the number
    assert counts["test"] == pytest.approx(200, abs=65) and counts["val"] == 400


def test_stratum_of_like_fabric_technique_and_shape_is_one():
    record = {"Fabric": "ATHENIAN", "Technique": "RED-FIGURE", "Shape Name": "KYLIX", "Date": "-500 to -480"}
    assert stratum_of(record) == stratum_of({**record, "Fabric": "ATTIC", "Shape Name": "CUP", "Date": "-480 to -450"})
    others = [{**record, "Shape Name": "LEKYTHOS"}, {**record, "Technique": "BLACK-FIGURE"}, {"Shape Name": "KYLIX"}]
    assert len({stratum_of(r) for r in [record, *others]}) == 4


def test_split_vases_another_seed_is_another_split():
    vases = {f"v{k}": "" for k in range(50)}
    settings = SplitSettings(num_test=10)
    held_out = [
        {vase for vase, split in split_vases(vases, settings, seed=seed).items() if split == "test"} for seed in (0, 1)
    ]
    assert held_out[0] != held_out[1]


def manifest() -> list[Row]:
    """Returns a manifest of ten photographs: 1 unreadable, 3 of low quality, 1 fragment, 2 that aren't the best view,
    and 3 vases."""
    entries = [
        ("source", "no such file", ""),
        ("quality", "probability of good quality 0.100, needed 0.5", "blur"),
        ("quality", "probability of good quality 0.200, needed 0.5", "crop"),
        ("quality", "probability of good quality 0.300, needed 0.5", "intact"),  # wrongly
        ("intact", "looks like fragment: cosine 0.300 against 0.100 to intact", "fragment"),
        ("best_view", "of 2 views, view 3 is shown more frontally", "intact"),
        ("best_view", "of 2 views, view 1 is shown more frontally", "intact"),
        ("", "", "intact"),
        ("", "", "intact"),
        ("", "", "blur"),  # wrongly
    ]
    return [
        Row(
            photo=str(k),
            vase_id=str(k),
            rejected_by=stage,
            reason=reason,
            kind=kind,
            split="" if stage else "train",
            record={"Fabric": "ATHENIAN"} if k % 2 else {"Fabric": "EUBOEAN|X"},
        )
        for k, (stage, reason, kind) in enumerate(entries)
    ]


def test_retention_counts_are_a_chain_from_all_rows_to_the_kept():
    table = {entry["stage"]: (entry["in"], entry["out"]) for entry in retention_counts(manifest())}
    assert table["source"] == (10, 9)
    assert table["quality"] == (9, 6)
    assert table["intact"] == (6, 5)
    assert table["best_view"] == (5, 3)
    assert table["lift"] == table["mesh_gate"] == table["turntable"] == (3, 3)


def test_reasons_are_counted_by_kind():
    assert reasons(manifest()) == {
        ("source", "no such file"): 1,
        ("quality", "probability of good quality …, needed …"): 3,
        ("intact", "looks like fragment"): 1,
        ("best_view", "of … views, view … is shown more frontally"): 2,
    }


def test_reasons_figures_below_zero_are_figures():
    ends = [
        Row(photo="", vase_id="", rejected_by="lift", reason=f"python ended with code {code}: no memory")
        for code in (-9, 1)
    ]
    assert reasons(ends) == {("lift", "python ended with code …"): 2}


def test_emptied_names_the_stage_its_nearest_miss_and_the_setting():
    assert emptied(manifest()) is None
    unread, *blurred = manifest()[:4]
    rows = [
        replace(row, reason=f"probability {score}, needed 0.5", scores={"quality": score})
        for row, score in zip(blurred, (0.1, 0.3, 0.2), strict=True)
    ]
    warning = emptied([unread, *rows])
    assert warning and warning.startswith("quality rejected all 3 photographs that reached it, the best of them for")
    assert "'probability 0.3, needed 0.5'" in warning and "Look at quality.threshold" in warning
    warning = emptied([unread, unread, replace(unread, reason="another")])
    assert warning and warning.startswith("source rejected all 3") and "most often for 'no such file'" in warning
    assert emptied([]) is None


@pytest.mark.parametrize("stage", PIPELINE.names)
def test_emptied_names_settings_for_every_stage(stage):
    row = Row(photo="", vase_id="", rejected_by=stage, reason="why")
    assert f"{stage} rejected all 1 photographs" in (emptied([row]) or "")


def test_filter_report_against_the_truth():
    rows = manifest()
    kinds = {row.photo: row.kind for row in rows if row.kind}
    quality = filter_report(rows, kinds, QUALITY)
    # reached: 9 labelled rows; good are 1 + 1 + 2 + 2 = 6, of which 5 passed; of 3 bad ones 1 passed
    assert (quality.true_positives, quality.false_negatives) == (5, 1)
    assert (quality.false_positives, quality.true_negatives) == (1, 2)
    assert quality.precision == pytest.approx(5 / 6) and quality.recall == pytest.approx(5 / 6)
    assert quality.f1 == pytest.approx(5 / 6)
    assert quality.as_dict()["stage"] == "quality" and quality.as_dict()["f1"] == quality.f1
    intact = filter_report(rows, kinds, INTACT)
    # reached: 6; the fragment was kept out, the blur was not
    assert (intact.true_positives, intact.false_positives, intact.true_negatives) == (4, 1, 1)


def test_best_view_report_against_the_truth():
    entries = {  # vase: (kind, rejected by) of its photographs
        "chosen": [("intact", ""), ("above", "best_view"), ("blur", "quality")],
        "wrong": [("intact", "best_view"), ("above", "lift")],  # rejections by later stages don't count
        "no choice": [("intact", "mesh_gate"), ("fragment", "intact")],
        "two right": [("intact", "best_view"), ("intact", "")],
        "lost before": [("intact", "quality"), ("above", "")],
        "none to find": [("above", ""), ("blur", "quality")],
        "not labelled": [("intact", ""), ("", "best_view")],
    }
    rows = [
        Row(photo=f"{vase}{k}", vase_id=vase, rejected_by=stage, kind=kind)
        for vase, photographs in entries.items()
        for k, (kind, stage) in enumerate(photographs)
    ]
    report = best_view_report(rows, {row.photo: row.kind for row in rows})
    assert (report.num_vases, report.num_right) == (5, 3)
    assert (report.num_choices, report.num_choices_right) == (2, 1)
    assert report.share == pytest.approx(0.6) and report.choice_share == pytest.approx(0.5)
    assert report.as_dict()["choice_share"] == report.choice_share
