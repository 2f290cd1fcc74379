"""Tests the file of the captions that an evaluation has generated; tests/launch/test_evaluate.py tests its use."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from vaserl.runs.caption_store import CaptionStore
from vaserl.types import Completion

IDS = ["v1", "v2", "v3", "v4", "v5"]


def completion(text: str) -> Completion:
    return Completion(text=text, token_ids=(3, 1), logprobs=(-1 / 3, -0.0), finish_reason="length", weights_version=1)


def open_store(path: Path, origin: dict[str, object] | None = None) -> CaptionStore:
    return CaptionStore(path, origin or {"model": "ab"}, systems=("sft", "rl"), ids=IDS, batch_size=2)


def fill(store: CaptionStore) -> None:
    """Adds what the store lacks, in batches of two; the captions are not ASCII."""
    for system in ("sft", "rl"):
        for start in range(len(store.completions(system)), len(IDS), 2):
            store.add(system, [completion(f"{system} \u2028 {id} Å") for id in IDS[start : start + 2]])


def test_caption_store_reads_what_it_wrote(tmp_path: Path):
    first = open_store(tmp_path / "c.jsonl")
    assert (first.num_stored, first.is_complete, first.changed) == (0, False, [])
    fill(first)
    again = open_store(tmp_path / "c.jsonl")
    assert (again.num_stored, again.is_complete) == (10, True)
    assert again.completions("rl") == [completion(f"rl \u2028 {id} Å") for id in IDS]


@given(data=st.data())
def test_caption_store_cut_anywhere_is_completed_to_the_same_bytes(tmp_path_factory, data: st.DataObject):
    path = tmp_path_factory.mktemp("store") / "c.jsonl"
    fill(open_store(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    fill(open_store(path))
    assert path.read_bytes() == whole


@given(data=st.data())
def test_caption_store_with_a_changed_byte_gives_no_other_caption(tmp_path_factory, data: st.DataObject):
    path = tmp_path_factory.mktemp("store") / "c.jsonl"
    fill(open_store(path))
    whole = path.read_bytes()
    damaged = bytearray(whole)
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    path.write_bytes(damaged)
    store = open_store(path)
    assert not store.is_complete
    for system in ("sft", "rl"):
        expected = [completion(f"{system} \u2028 {id} Å") for id in IDS]
        found = store.completions(system)
        assert found == expected[: len(found)]
    if store.changed:
        assert place < whole.index(b"\n") + 1  # the header
    else:
        fill(store)
        assert path.read_bytes() == whole


def test_caption_store_names_what_changed(tmp_path: Path):
    fill(open_store(tmp_path / "c.jsonl"))
    store = open_store(tmp_path / "c.jsonl", {"model": "cd", "prompt": "Describe."})
    assert store.changed == ["model", "prompt"]
    assert store.num_stored == 0
    (tmp_path / "c.jsonl").write_text("no header\n")
    assert open_store(tmp_path / "c.jsonl").changed == ["the header, which is damaged"]
