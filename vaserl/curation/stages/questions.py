"""Questions about a vase: one for each dimension (fabric, shape, …) that its record states, and one for its findspot.

The findspot can't be seen in a picture. So its question is stored in the data set, but not used in training or in the
reward, which use the six dimensions.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict

from vaserl.curation.stage import Column, Kept, KeptPhotograph, Photograph, Recipe, Stage, StageContext, Verdict
from vaserl.dataset import PROVENANCE, Question, Topic
from vaserl.rewards.vase import lexicon, parse_record, reference_caption
from vaserl.rewards.vase.attribution import display
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

PROVENANCE_FIELD = "Provenance"


QUESTIONS_COLUMN = Column(name="questions", kind=str, empty="[]")
"""The questions with their answers, as JSON: [{"dimension", "question", "answer"}, …]."""


class Questions:
    """Adds the column `questions`; rejects nothing."""

    def judge(self, photograph: Photograph) -> Verdict:
        """Returns `Kept` with the questions about the photograph's vase."""
        questions = [asdict(question) for question in questions_about(json.loads(photograph.record))]
        return Kept(columns={QUESTIONS_COLUMN.name: json.dumps(questions, ensure_ascii=False)})


def questions_about(record: Mapping[str, str]) -> tuple[Question, ...]:
    """Returns the questions that the record answers, such as "What is the fabric of the vase?".

    Questions about the dimensions come first, in the dimensions' order; the question about the provenance comes last.
    """
    questions = [
        Question(dimension=dimension, question=question_about(dimension), answer=answer)
        for dimension in DIMENSIONS
        if (answer := answer_of(record, dimension))
    ]
    if findspot := findspot_of(record):
        questions.append(Question(dimension=PROVENANCE, question=question_about(PROVENANCE), answer=findspot))
    return tuple(questions)


def question_about(topic: Topic) -> str:
    """Returns the text of the question about a dimension or the provenance, as prompts contain it."""
    return f"What is the {'date' if topic == 'dating' else topic} of the vase?"


def findspot_of(record: Mapping[str, str]) -> str:
    """Returns the findspot as a catalogue prints it: the record's "ITALY, ETRURIA, VULCI" becomes "Vulci, Etruria,
    Italy". Returns "" if the record states none."""
    parts = [part.strip() for part in record.get(PROVENANCE_FIELD, "").split(",")]
    return ", ".join(_place(part) for part in reversed(parts) if part)


def answer_of(record: Mapping[str, str], dimension: Dimension) -> str:
    """Returns the record's value of a dimension, worded as in captions, such as "the Antimenes Painter"; "" if there is
    no value."""
    facts = parse_record(record)
    if not facts[dimension]:
        return ""
    if dimension == "dating":
        return " and ".join(str(interval) for interval in facts.dating)
    if dimension == "attribution":
        return display(facts.attribution[0])  # the others are alternatives to the first
    if dimension == "decoration":
        field = FIELD_OF_DIMENSION[dimension]
        return reference_caption({field: record[field]}).partition("depicting ")[2].rstrip(".")
    return " and ".join(lexicon(dimension)[term.id].names[0] if term.id else term.text for term in facts[dimension])


def _place(text: str) -> str:
    """Converts a place name in capitals to initial capitals: "VULCI" to "Vulci". Returns other names unchanged."""
    if not text.isupper():
        return text
    return re.sub(r"[^\W\d_]+", lambda match: _cased(match[0].lower()), text)


def _cased(word: str) -> str:
    return word if word in _SMALL else word.capitalize()


_SMALL = frozenset({"of", "near", "and", "the", "in"})


def _recipe(context: StageContext) -> Recipe:
    return Recipe(make=Questions)


def _tell(kept: KeptPhotograph) -> str:
    return f"asked for {', '.join(question.dimension for question in kept.row.questions) or 'nothing'}"


QUESTIONS = Stage(
    name="questions",
    recipe=_recipe,
    columns=(QUESTIONS_COLUMN,),
    hint="the memory and time of the pool",
    tell=_tell,
)
