"""Finds who does what to whom in the description of a scene: "Eos pursuing Tithonos" is (eos, tithonos).

The roles are ordered pairs of beings around a verb of `lexicon/role_verbs.txt`, found by the order of the words: the
nearest being before the verb acts on the nearest one behind it, and "pursued by" turns the pair around. No grammar is
parsed, so many pairs are missed; `contradicted` therefore counts a pair only if the other text states its reverse.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz

from vaserl.rewards.vase.lexicon import figures
from vaserl.rewards.vase.negation import without_denied
from vaserl.rewards.vase.text import CUT, lemma, normalize, tokens, word_list

RolePair = tuple[str, str]
"""Lemmas of the being that acts and of the being that is acted on."""


@dataclass(frozen=True, slots=True)
class Role:
    """One verb of a scene with its beings, as indices of words."""

    agents: tuple[int, ...]
    """Those that act: "Herakles and Iolaos" are two."""
    patients: tuple[int, ...]
    """Those that are acted on."""


def scene_words(text: str, max_chars: int) -> list[str]:
    """Returns the tokens of the first `max_chars` characters of a text, without articles and what the text denies."""
    return [word for word in tokens(without_denied(normalize(text, max_chars))) if word not in _ARTICLES]


def role_pairs(words: Sequence[str]) -> tuple[RolePair, ...]:
    """Returns the first 64 distinct pairs of agent and patient in a text's `scene_words`."""
    pairs = (
        (lemma(words[agent]), lemma(words[patient]))
        for role in find_roles(words)
        for agent in role.agents
        for patient in role.patients
    )
    return tuple(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))[:_MAX_PAIRS]


def contradicted(target: Collection[RolePair], given: Collection[RolePair], cutoff: float) -> float:
    """Returns the share of the target's pairs whose reverse is given and which are not given themselves, in [0, 1].

    A target that states a pair in both directions ("a satyr pursuing a maenad, a maenad pursuing a satyr") can't be
    contradicted in it. cutoff: smallest similarity in spelling at which two beings are the same.
    """
    if not target or not given:
        return 0.0
    wrong = [
        (agent, patient)
        for agent, patient in target
        if _has(given, (patient, agent), cutoff)
        and not _has(given, (agent, patient), cutoff)
        and not _has(target, (patient, agent), cutoff)
    ]
    return len(wrong) / len(target)


def find_roles(words: Sequence[str]) -> list[Role]:
    """Returns the roles in a text's `scene_words`: one for each verb with a being on both sides of it."""
    if _ACTIVE.isdisjoint(words) and _PARTICIPLES.isdisjoint(words):
        return []
    roles = []
    for index, word in enumerate(words):
        following = list(words[index + 1 : index + 3])
        if word not in _VERBS or following[:1] == ["of"]:  # "the slaying of the Minotaur by Theseus"
            continue
        passive = word in _PARTICIPLES and "by" in following  # "pursued by", "carried off by"
        if word in _PARTICIPLES and not passive and following and _is_common(following[0]):
            continue  # "a wounded warrior"
        before = _before(words, index)
        behind = _behind(words, index + 1 + (following.index("by") + 1 if passive else 0))
        if before and behind:
            roles.append(Role(behind, before) if passive else Role(before, behind))
    return roles


_ARTICLES = frozenset(("the", "a", "an"))
_ACTIVE = word_list("role_verbs.txt")
_PARTICIPLES = word_list("role_participles.txt")
_VERBS = _ACTIVE | _PARTICIPLES
_BEINGS = word_list("beings.txt")
_ENDS = frozenset((".", ";", ":", "|", CUT))
_STOPS = frozenset((*_ENDS, *_VERBS, ",", "with", "in", "on", "at", "from", "to", "while", "by"))
"""Words behind a verb that the being acted on does not lie beyond: "pursuing, a woman" states no pair."""
_REACH = 8
"""Largest number of words between a verb and its being."""
_MAX_PAIRS = 64
_LONGEST_RUN = 4
"""Largest number of beings on one side of a verb."""


def _before(words: Sequence[str], verb: int) -> tuple[int, ...]:
    """Returns the indices of the nearest being before a verb, and of those beside it or joined to it by "and"."""
    for index in range(verb - 1, max(-1, verb - 1 - _REACH), -1):
        if words[index] in _ENDS:
            return ()
        if is_being(words[index]):
            run = _run(words, index, -1)
            acted_on = len(run) > 1 and run[-1] > 0 and words[run[-1] - 1] in _VERBS
            return run[:-1] if acted_on else run  # "leading a horse, and a woman leading a dog"
    return ()


def _behind(words: Sequence[str], start: int) -> tuple[int, ...]:
    """Returns the indices of the first being from `start` on, and of those beside it or joined to it by "and"."""
    for index in range(start, min(len(words), start + _REACH)):
        if words[index] in _STOPS:
            return ()
        if is_being(words[index]):
            run = _run(words, index, 1)
            acts = len(run) > 1 and run[-1] + 1 < len(words) and words[run[-1] + 1] in _VERBS
            return run[:-1] if acts else run  # "pursuing a woman, and a satyr leading a horse"
    return ()


def _run(words: Sequence[str], index: int, step: int) -> tuple[int, ...]:
    """Returns the indices of a being and of those beside it in one direction, which "and" may join."""
    run = [index]
    while len(run) < _LONGEST_RUN:
        index += step
        if 0 <= index < len(words) and words[index] == "and":
            index += step
        if not (0 <= index < len(words) and is_being(words[index])):
            break
        run.append(index)
    return tuple(run)


def _has(pairs: Collection[RolePair], pair: RolePair, cutoff: float) -> bool:
    return pair in pairs or any(
        fuzz.ratio(pair[0], a) >= 100 * cutoff and fuzz.ratio(pair[1], b) >= 100 * cutoff for a, b in pairs
    )


@lru_cache(maxsize=65536)
def is_being(word: str) -> bool:
    """Returns True for a word that names somebody who can act: "athena", "warriors", "lion"."""
    return lemma(word) in _BEINGS or figures().get(word, "adjective") != "adjective"


def _is_common(word: str) -> bool:
    return word not in figures() and is_being(word)
