"""Creates adversarial captions that state a vase's facts in a way in which they should not count.

The facts are denied, only compared, asked, said of another vase, hidden in a zone that states nothing about the vase,
or given beside wrong ones.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vaserl.rewards.vase.attribution import display
from vaserl.rewards.vase.facts import Facts, Term
from vaserl.rewards.vase.lexicon import Vocabulary, lexicon
from vaserl.rewards.vase.noun_phrases import indefinite_article
from vaserl.rewards.vase.parse import parse_caption
from vaserl.rewards.vase.roles import find_roles, scene_words

_WRONG_HANDS = ("Lydos", "the Pan Painter", "the Kleophrades Painter", "Douris", "the Niobid Painter")
_WRONG_SCENES = ("a ship at sea", "an owl between sprigs", "two cocks", "a woman at a fountain")
_MOTIFS = (
    "a warrior, a woman, a man, a youth, a horse, a lion, a satyr, a maenad, Herakles, Athena, Dionysos, Theseus, "
    "Apollo, Hermes, a siren, a sphinx, a chariot, an owl, eyes, palmettes, a krater, a spear, a shield"
)
_QUALIFIERS = ("{}", "near {}", "the manner of {}", "a follower of {}", "the circle of {}", "the workshop of {}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claims:
    """What a caption claims, in words."""

    make: str
    """Fabric and technique: "Athenian black-figure"."""
    shape: str
    date: str
    scene: str
    hand: str

    def __str__(self) -> str:
        return f"{self.make} {self.shape}, {self.date}, depicting {self.scene}, attributed to {self.hand}."


def rephrased(reference: str, draw: random.Random) -> Mapping[str, str]:
    """Returns adversarial captions by name ("true facts denied"); none for a reference that lacks a dimension."""
    facts = parse_caption(reference)
    if not all(facts[d] for d in ("fabric", "technique", "shape", "dating", "decoration", "attribution")):
        return {}
    if not all(term.id for term in (*facts.fabric, *facts.technique, *facts.shape)):
        return {}
    true, wrong = _true(facts, reference), _wrong(facts, draw)
    a_true, a_wrong = (f"{indefinite_article(c.make)} {c.make} {c.shape}" for c in (true, wrong))
    turned = _turned(true.scene)
    hands = [*draw.sample(_WRONG_HANDS, 3), true.hand]
    draw.shuffle(hands)
    return {
        "true facts denied": f"This is not {a_true}, not of {true.date}, without {true.scene}, and not by {true.hand}.",
        **({"roles reversed": reference.replace(true.scene, turned)} if turned else {}),
        "facts in a bracket": (
            f"{wrong.make} {wrong.shape} (vessel, {true.make} {true.shape}, {true.date}, {true.hand}), {wrong.date}, "
            f"depicting {true.scene}, by {wrong.hand}."
        ),
        "facts behind Found in": f"{wrong} Found in {a_true}, {true.date}, {true.scene}, by {true.hand}.",
        "all qualifiers": reference.replace(true.hand, ", ".join(q.format(true.hand) for q in _QUALIFIERS)),
        "Painter of": reference.replace(true.hand, "the Painter of"),
        "facts compared": (
            f"Like {a_true} of {true.date} by {true.hand} with {true.scene}, this is {a_wrong} of {wrong.date}."
        ),
        "facts in a thought": f"<think>{reference}</think> {wrong}",
        "facts in a credit line": f"{wrong}\nCredit Line: {reference}\nBibliography: {reference}",
        "either or": f"Either {reference.rstrip('.')} or {wrong}",
        "true and wrong": f"{reference} {wrong}",
        "wrong and true": f"{wrong} {reference}",
        "wrong heading": f"{wrong}\n\n{reference}",
        "asked": (
            f"Is this {a_true} or {a_wrong}? Is it from {true.date} or {wrong.date}? Is it by {true.hand} or "
            f"{wrong.hand}? Does it show {true.scene} or {wrong.scene}?"
        ),
        "doubted hands": reference.replace(true.hand, ", or perhaps ".join(hands)),
        "many motifs": reference.replace(true.scene, f"{true.scene}, {_MOTIFS}"),
        "labels with alternatives": (
            f"Ware: {true.make} / {wrong.make}; Shape: {true.shape} / {wrong.shape}; "
            f"Date: {true.date} / {wrong.date}; Subject: {true.scene} / {wrong.scene}; "
            f"Painter: {true.hand} / {wrong.hand}"
        ),
        "words backwards": " ".join(reversed(reference.split())),
        "twice": f"{reference} {reference}",
        "vague": "A Greek pottery vessel of the first millennium BC, painted with figures by an artist.",
        "said by others": (
            f'Some call it "{reference.rstrip(".")}", but it is {a_wrong}, {wrong.date}, by {wrong.hand}.'
        ),
        "other vase": f"{wrong} A companion piece in the same museum is {a_true}, {true.date}, by {true.hand}.",
        "candidates in JSON": (
            f'{{"ware": ["{true.make}", "{wrong.make}"], "shape": ["{true.shape}", "{wrong.shape}"], '
            f'"date": ["{true.date}", "{wrong.date}"], "painter": ["{true.hand}", "{wrong.hand}"]}}'
        ),
    }


def _true(facts: Facts, reference: str) -> _Claims:
    scene = reference.partition(", depicting ")[2].rpartition(", attributed to ")[0].removesuffix(", tentatively")
    return _Claims(
        make=f"{_name('fabric', facts.fabric[0])} {_name('technique', facts.technique[0])}",
        shape=_name("shape", facts.shape[0]),
        date=str(facts.dating[0]),
        scene=scene or " ".join(facts.decoration),
        hand=display(facts.attribution[0]),
    )


def _wrong(facts: Facts, draw: random.Random) -> _Claims:
    def other(vocabulary: Literal["fabric", "technique"], *ids: str) -> str:
        given = {term.id for term in facts[vocabulary]}
        return lexicon(vocabulary)[draw.choice([each for each in ids if each not in given])].names[0]

    families = {term.id.partition("/")[0] for term in facts.shape}
    start = facts.dating[0].start
    return _Claims(
        make=(
            f"{other('fabric', 'corinthian', 'boeotian', 'athenian', 'etruscan')} "
            f"{other('technique', 'black_figure', 'red_figure', 'white_ground')}"
        ),
        shape=next(name for name in ("hydria", "skyphos", "pelike", "plate") if name not in families),
        date="c. 650–625 BCE" if start > -575 else "c. 425–400 BCE",
        scene=draw.choice([s for s in _WRONG_SCENES if not set(s.split()) & set(facts.decoration)]),
        hand=draw.choice([h for h in _WRONG_HANDS if display(facts.attribution[0]) != h]),
    )


def _turned(scene: str) -> str:
    """Returns the scene with who acts and who is acted on exchanged; empty if it has no such pair."""
    words = scene_words(scene, len(scene))
    other = {}
    for role in find_roles(words):
        agent, patient = words[role.agents[0]], words[role.patients[0]]
        other |= {agent: patient, patient: agent}
    if not other:
        return ""
    written = {word.lower(): word for word in re.findall(r"\w+", scene)}
    return re.sub(r"\w+", lambda match: written[other.get(match[0].lower(), match[0].lower())], scene)


def _name(vocabulary: Vocabulary, term: Term) -> str:
    return lexicon(vocabulary)[term.id].names[0]
