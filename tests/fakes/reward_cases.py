"""Inputs for tests of the reward: a record and its task, and hypothesis strategies of records as museums write them."""

from hypothesis import strategies as st

from vaserl.rewards.vase import lexicon, reference_caption, vase_caption
from vaserl.rewards.vase.attacks import attacks
from vaserl.types import DIMENSIONS, Completion, Dimension, FinishReason, Score, Task

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
        id="v1/caption",
        clip="",
        prompt=PROMPT,
        dimensions=dimensions,
        record=record,
        reference=reference_caption(record),
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
RECORD_ATTACKS = attacks(reference_caption(RECORD))
