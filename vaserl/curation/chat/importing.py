"""Converts conversations about videos or pictures of vases into a data set for training and evaluation."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vaserl.curation.chat.chat import Chat
from vaserl.curation.chat.clips import clip_of_pictures, clip_of_video
from vaserl.curation.chat.reading import read_chats
from vaserl.curation.outcome.card import Findings, write_card
from vaserl.curation.outcome.split import with_split
from vaserl.curation.pipeline import PIPELINE
from vaserl.curation.published.words import record_from_caption
from vaserl.curation.settings import CardSettings
from vaserl.curation.source.records import states_something
from vaserl.curation.stages.source import SOURCE
from vaserl.dataset import OTHER, DataSet, Question, Row
from vaserl.errors import Problem, UserError, first_of_each_kind
from vaserl.types import FIELD_OF_DIMENSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedChats:
    """The result of an import."""

    num_vases: Mapping[str, int]
    """Number of imported vases, by split (train, val, test)."""
    rejected: Mapping[str, str]
    """Reasons why vases were rejected, by the vase's id."""
    prompts: Mapping[str, int]
    """First questions of the conversations, each with its number of vases, the commonest first."""
    systems: Mapping[str, int]
    """System messages of the conversations, each with its number of vases, the commonest first; "" for none."""
    num_records_from_texts: int
    """Number of imported vases whose record was derived from their caption."""
    num_decorations_only: int
    """Number of these whose record states the decoration alone. The parser takes words that it doesn't know for a
    decoration, so many such records mean that the captions do not describe vases."""


def import_chats(
    source: Path, dataset: DataSet, *, num_frames: int, resolution: int, num_val: int = 0, num_test: int = 0, seed: int
) -> ImportedChats:
    """Reads the conversations in the file or folder `source` and writes a data set: manifest, clips and card.

    The first answer becomes the caption; later turns become questions. A vase without a record gets one from its
    reference caption, as the reward's parser reads it; a vase whose caption states none of the six dimensions is
    rejected, and so is one whose video or picture can't be read. `num_test` and `num_val` training vases are moved into
    these splits, drawn with `seed` in proportion to fabrics, techniques and shapes.

    num_frames, resolution: number of frames of a clip, and their width and height in pixels.

    Raises: UserError when rows can't be used; the message has the first few of each kind. Also when a split is to be
    drawn that the file states, or no vase is left for training.
    """
    problems: list[Problem] = []
    chats = read_chats(source, problems.append)
    if problems:
        raise UserError(first_of_each_kind(problems))
    dataset.path.mkdir(parents=True, exist_ok=True)
    rows = [_row(chat, dataset, num_frames, resolution) for chat in chats]
    for split, number in (("test", num_test), ("val", num_val)):
        rows = with_split(rows, split, number, seed)
    dataset.write_rows(rows)
    off = [stage for stage in PIPELINE.names if stage != SOURCE.name]
    write_card(dataset, rows, CardSettings(title=source.stem), Findings(off=off))
    kept = {row.vase_id: row.record for row in rows if row.kept}
    from_texts = [kept[chat.id] for chat in chats if chat.id in kept and not states_something(chat.record)]
    return ImportedChats(
        num_vases=dict(sorted(Counter(row.split for row in rows if row.split).items())),
        rejected={row.vase_id: row.reason for row in rows if not row.kept},
        systems=dict(Counter(chat.system for chat in chats if chat.id in kept).most_common()),
        prompts=dict(Counter(chat.turns[0][0] for chat in chats if chat.id in kept).most_common()),
        num_records_from_texts=len(from_texts),
        num_decorations_only=sum(set(record) == {FIELD_OF_DIMENSION["decoration"]} for record in from_texts),
    )


def _row(chat: Chat, dataset: DataSet, num_frames: int, resolution: int) -> Row:
    record = dict(chat.record) if states_something(chat.record) else record_from_caption(chat.reference)
    pictures = [dataset.add_picture(found) if isinstance(found, bytes) else found for found in chat.pictures]
    photo = chat.video or pictures[0]
    row = Row(
        photo=str(photo.absolute()),
        photo_sha256=hashlib.sha256(photo.read_bytes()).hexdigest() if photo.is_file() else "",
        vase_id=chat.id,
        record=record,
        caption=chat.turns[0][1],
        reference=chat.reference,
        questions=tuple(Question(dimension=OTHER, question=q, answer=a) for q, a in chat.turns[1:] if a),
        split=chat.split or "train",
    )
    if not states_something(record):
        return _rejected(row, f"{chat.where}: the caption states none of the six dimensions, and there is no record")
    try:
        if chat.video:
            clip = clip_of_video(chat.video, num_frames, resolution)
        else:
            clip = clip_of_pictures(pictures, num_frames, resolution)
    except UserError as error:
        return _rejected(row, f"{chat.where}: {error}")
    return replace(row, clip=dataset.clips.add(clip))


def _rejected(row: Row, reason: str) -> Row:
    return replace(row, rejected_by=SOURCE.name, reason=reason, split="")
