"""Tests the file of a system's answers; tests/launch/test_evaluate.py tests its use."""

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from vaserl.runs.caption_store import CaptionStore, SystemAnswer, changes_of_origin

IDS = ["v1", "v2", "v3", "v4", "v5"]


def answer(id: str) -> SystemAnswer:
    text = f"\u2028 {id} Å"  # not ASCII
    return SystemAnswer(text=text, token_ids=(3, 1), logprobs=(-1 / 3, -0.0), finish_reason="length")


def open_store(folder: Path, origin: dict[str, object] | None = None) -> CaptionStore:
    return CaptionStore(folder, origin or {"model": "ab"}, ids=IDS, batch_size=2)


def fill(store: CaptionStore) -> Path:
    """Adds what the store lacks, in batches of two. Returns the file's path."""
    for start in range(len(store.answers), len(IDS), 2):
        store.add([answer(id) for id in IDS[start : start + 2]])
    return store.path


def test_caption_store_reads_what_it_wrote(tmp_path: Path):
    first = open_store(tmp_path)
    assert (first.answers, first.is_complete) == ([], False)
    fill(first)
    again = open_store(tmp_path)
    assert again.is_complete and again.answers == [answer(id) for id in IDS]


def test_caption_store_keeps_failures_and_probabilities_that_are_not_numbers(tmp_path: Path):
    store = open_store(tmp_path)
    failed = SystemAnswer(text="", failure="HTTP status 500, 5 attempts", logprobs=(math.nan,))
    store.add([failed, answer("v2")])
    found = open_store(tmp_path).answers[0]
    assert found.failure == failed.failure and math.isnan(found.logprobs[0])


@given(data=st.data())
def test_caption_store_cut_anywhere_is_completed_to_the_same_bytes(tmp_path_factory, data: st.DataObject):
    folder = tmp_path_factory.mktemp("store")
    path = fill(open_store(folder))
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    fill(open_store(folder))
    assert path.read_bytes() == whole


@given(data=st.data())
def test_caption_store_with_a_changed_byte_gives_no_other_answer(tmp_path_factory, data: st.DataObject):
    folder = tmp_path_factory.mktemp("store")
    path = fill(open_store(folder))
    whole = path.read_bytes()
    damaged = bytearray(whole)
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    path.write_bytes(damaged)
    store = open_store(folder)
    assert not store.is_complete
    assert store.answers == [answer(id) for id in IDS][: len(store.answers)]
    fill(store)
    assert path.read_bytes() == whole


def test_caption_store_has_a_file_for_each_origin(tmp_path: Path):
    fill(open_store(tmp_path))
    other = open_store(tmp_path, {"model": "cd"})
    assert other.answers == [] and other.path != open_store(tmp_path).path
    fill(other)
    assert len(list(tmp_path.iterdir())) == 2 and open_store(tmp_path).is_complete


def test_changes_of_origin_names_what_differs():
    assert changes_of_origin({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == ["b", "c"]
