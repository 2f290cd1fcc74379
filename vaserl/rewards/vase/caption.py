"""Computes the reward of a caption, and of an answer to a question about one dimension (such as the shape).

The reward of a caption is R = sum of w_i r_i - P + B. w_i is the weight of dimension i, r_i the similarity of the
caption's value and the target value in dimension i or the cost of a wrong value, P the sum of the penalties, B the
bonus.
"""

from collections.abc import Sequence
from functools import lru_cache

from vaserl.rewards.vase.bonus import sequence_bonus
from vaserl.rewards.vase.config import ParserConfig, RewardConfig
from vaserl.rewards.vase.facts import Facts
from vaserl.rewards.vase.parse import parse_caption, parse_record, parse_value
from vaserl.rewards.vase.penalties import count_words, irrelevance_penalty, length_penalty, repetition_penalty
from vaserl.rewards.vase.reasoning import without_reasoning
from vaserl.rewards.vase.roles import RolePair, contradicted, role_pairs, scene_words
from vaserl.rewards.vase.similarity import (
    RewardContext,
    attribution_pairs,
    attribution_similarity,
    cosine_similarity,
    interval_similarity,
    lies_inside,
    shape_similarity,
    term_similarity,
    words_similarity,
)
from vaserl.rewards.vase.text import content_words, normalize, sequence_words
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Completion, Dimension, Score, Task

_DEFAULT = RewardConfig()
_NOTHING = RewardContext()


def vase_caption(
    task: Task, completion: Completion, config: RewardConfig = _DEFAULT, context: RewardContext = _NOTHING
) -> Score:
    """Scores a caption; with the default constants the total is in [-1, 1.1].

    The score has these parts for every dimension of the task, such as the fabric:
    "has_target/fabric": 1 if the target has a fabric, else 0.
    "raw/fabric": highest similarity of a fabric in the caption and one in the target; only if the target has a fabric.
    "fabric": the same similarity, replaced by 0 if it is below tau; for several fabrics, and for a date inside the
    target's, see `dimension_reward`. It is -`config.wrong_costs.fabric` if the caption states a fabric and none passes
    tau.
    "stated/fabric": 1 if the caption states a fabric, else 0; only if the target has one. Its mean is the coverage.
    "right/fabric": 1 if a fabric in the caption passes tau, else 0; only if caption and target have one. Its mean is
    the precision when stated.

    "reversed_roles" is the share of the record's roles that the caption turns around ("Hektor slays Achilles"), which
    lowers "decoration" by `config.reversed_roles_cost`; only if the record has roles. "unread" is 1 if the parser does
    not read the caption's language; such a caption states nothing, and its words don't count as irrelevant. Else 0.

    Further parts are "penalty/length", "penalty/repetition" and "penalty/irrelevance", which are subtracted from the
    total, and "bonus", which is added to it.
    """
    target = target_facts(task, config)
    given = parse_caption(completion.text, config.parser)
    parts = _parts(task, completion.text, given, target, config, context)
    words = sequence_words(completion.text)
    reference_words, relevant = _reference(task.reference, _record_text(task), config.parser.max_chars)
    unfounded = () if target.attribution else {w for a in given.attribution for w in content_words(a.name.split())}
    any_passed = any(parts.get(dimension, 0.0) > 0 for dimension in task.dimensions)
    parts["penalty/length"] = length_penalty(
        count_words(completion.text, config), completion.finish_reason == "length", False, config
    )
    parts["penalty/repetition"] = repetition_penalty(words, config)
    read = () if given.unread else words
    parts["penalty/irrelevance"] = irrelevance_penalty(read, relevant, unfounded, config)
    parts["bonus"] = sequence_bonus(words, reference_words, any_passed, config)
    return Score(total=_weighted(task.dimensions, parts, config) - _penalty(parts) + parts["bonus"], parts=parts)


def vase_question(
    task: Task, completion: Completion, config: RewardConfig = _DEFAULT, context: RewardContext = _NOTHING
) -> Score:
    """Scores an answer to "What is the {dimension} of the vase?".

    The total is what the dimension earns in a caption, see `dimension_reward`, minus the penalties. The parts are those
    of `vase_caption`, without "penalty/irrelevance" and "bonus".

    Raises: ValueError unless the task has exactly one dimension.
    """
    if len(task.dimensions) != 1:
        raise ValueError(f"task {task.id}: a question must have one dimension, got {len(task.dimensions)}")
    dimension = task.dimensions[0]
    given = parse_value(dimension, completion.text, config.parser)
    parts = _parts(task, completion.text, given, target_facts(task, config), config, context)
    parts["penalty/length"] = length_penalty(
        count_words(completion.text, config), completion.finish_reason == "length", True, config
    )
    parts["penalty/repetition"] = repetition_penalty(sequence_words(completion.text), config)
    return Score(total=parts.get(dimension, 0.0) - _penalty(parts), parts=parts)


def target_facts(task: Task, config: RewardConfig = _DEFAULT) -> Facts:
    """Returns the facts that a completion of the task is compared with.

    These are the facts of the museum's record or, if the record states none of the six dimensions, those of the
    reference caption.
    """
    facts = parse_record(task.record, config.parser)
    return facts if facts != _EMPTY else _caption_facts(task.reference, config.parser)


_EMPTY = Facts()


@lru_cache(maxsize=65536)
def _caption_facts(reference: str, parser: ParserConfig) -> Facts:
    return parse_caption(reference, parser)


def _record_text(task: Task) -> str:
    return " ".join(task.record.get(FIELD_OF_DIMENSION[dimension], "") for dimension in DIMENSIONS)


@lru_cache(maxsize=65536)
def _reference(reference: str, record: str, max_chars: int) -> tuple[tuple[str, ...], frozenset[str]]:
    """Returns the words of the reference caption in order, and the set of lemmas of the reference and the record.

    The lemmas are those of content words: function words such as "the" are left out.
    """
    words = tuple(sequence_words(reference))
    normal = f"{reference} {normalize(record, max_chars)}"
    return words, frozenset(content_words(sequence_words(normal)))


def _parts(
    task: Task, text: str, given: Facts, target: Facts, config: RewardConfig, context: RewardContext
) -> dict[str, float]:
    """Returns the parts of a completion's score other than penalties and bonus."""
    parts = _dimension_parts(task.dimensions, given, target, config, context)
    roles = _target_roles(task, config) if "decoration" in parts else ()
    if roles:
        stated = role_pairs(scene_words(without_reasoning(text[: config.parser.max_chars]), config.parser.max_chars))
        parts["reversed_roles"] = contradicted(roles, stated, config.word_cutoff)
        parts["decoration"] *= 1 - config.reversed_roles_cost * parts["reversed_roles"]
    parts["unread"] = float(bool(given.unread))
    return parts


def _target_roles(task: Task, config: RewardConfig) -> tuple[RolePair, ...]:
    return _roles(task.record.get(FIELD_OF_DIMENSION["decoration"]) or task.reference, config.parser.max_chars)


@lru_cache(maxsize=65536)
def _roles(text: str, max_chars: int) -> tuple[RolePair, ...]:
    return role_pairs(scene_words(text, max_chars))


def _dimension_parts(
    dimensions: Sequence[Dimension], given: Facts, target: Facts, config: RewardConfig, context: RewardContext
) -> dict[str, float]:
    parts: dict[str, float] = {}
    for dimension in dimensions:
        values = target[dimension]
        parts[_HAS_TARGET[dimension]] = 1.0 if values else 0.0
        if not values:
            continue
        raw, earned = dimension_reward(dimension, given[dimension], values, config, context)
        parts[_RAW[dimension]], parts[dimension] = raw, earned
        stated = bool(given[dimension])
        parts[_STATED[dimension]] = float(stated)
        if stated:
            parts[_RIGHT[dimension]] = float(earned > 0)
            if earned <= 0:
                parts[dimension] = 0.0 - config.wrong_costs[dimension]
    return parts


_HAS_TARGET = {dimension: f"has_target/{dimension}" for dimension in DIMENSIONS}
_RAW = {dimension: f"raw/{dimension}" for dimension in DIMENSIONS}
_STATED = {dimension: f"stated/{dimension}" for dimension in DIMENSIONS}
_RIGHT = {dimension: f"right/{dimension}" for dimension in DIMENSIONS}
_PENALTIES = ("penalty/length", "penalty/repetition", "penalty/irrelevance")


def dimension_reward(
    dimension: Dimension, given: tuple, target: tuple, config: RewardConfig, context: RewardContext
) -> tuple[float, float]:
    """Scores one dimension of a completion, whose values are `given`; `target` contains the right values.

    Returns the highest similarity of a given and a target value, and the dimension's reward r_i in [0, 1].

    Every given value is matched to at most one target value. The rewards of the matched pairs are added: a similarity
    below tau earns nothing, except that a date inside the target's earns `config.dating_inside`. r_i is this sum
    divided by the number of given values, or by the number of target values if that is greater (a cup may be both
    black-figure and white-ground). Several target attributions are alternatives and count as one value.
    """
    if not given:
        return 0.0, 0.0
    if dimension == "decoration":
        if config.similarity == "embedding":
            raw = cosine_similarity(" ".join(given), " ".join(target), _encoder(context))
        else:
            raw = words_similarity(given, target, config, context)
        return raw, raw if raw >= config.tau else 0.0
    if len(given) == len(target) == 1:  # fast path for the commonest case; the code below it gives the same result
        return _pair(dimension, given[0], target[0], config, context)
    compared = (
        attribution_pairs(given, target)
        if dimension == "attribution"
        else [(i, j) for i in range(len(given)) for j in range(len(target))]
    )
    raw = 0.0
    pairs = []
    for i, j in compared:
        similarity, earned = _pair(dimension, given[i], target[j], config, context)
        raw = max(raw, similarity)
        if earned:
            pairs.append((-earned, i, j))
    taken: set[tuple[str, int]] = set()
    matched = 0.0
    for negative, i, j in sorted(pairs):
        if ("given", i) not in taken and ("target", j) not in taken:
            taken |= {("given", i), ("target", j)}
            matched -= negative
    num_expected = 1 if dimension == "attribution" else len(target)
    return raw, matched / max(len(given), num_expected)


def _pair(dimension: Dimension, given, target, config: RewardConfig, context: RewardContext) -> tuple[float, float]:
    """Returns the similarity of one given and one target value, and what it earns."""
    raw = _similarity(dimension, given, target, config, context)
    earned = raw if raw >= config.tau else 0.0
    if dimension == "dating" and earned < config.dating_inside and lies_inside(given, target, config):
        earned = config.dating_inside
    return raw, earned


def _similarity(dimension: Dimension, given, target, config: RewardConfig, context: RewardContext) -> float:
    if dimension == "shape":
        return shape_similarity(given, target, config)
    if dimension == "dating":
        return interval_similarity(given, target)
    if dimension == "attribution":
        if config.similarity == "embedding":
            given_text, target_text = (" ".join((a.qualifier, a.name, a.role)) for a in (given, target))
            return cosine_similarity(given_text, target_text, _encoder(context))
        return attribution_similarity(given, target, config)
    return term_similarity(given, target)


def _encoder(context: RewardContext):
    if context.encode is None:
        raise ValueError('similarity = "embedding" needs RewardContext(encode=…)')
    return context.encode


def _weighted(dimensions: Sequence[Dimension], parts: dict[str, float], config: RewardConfig) -> float:
    """Returns the weighted sum of the dimensions' rewards; `config.missing` decides what a missing target counts."""
    earned = total = 0.0
    for dimension in dimensions:
        weight = config.weights[dimension]
        if dimension in parts:
            earned += weight * parts[dimension]
            total += weight
    if config.missing == "zero":
        return earned
    return earned / total if total else 0.0


def _penalty(parts: dict[str, float]) -> float:
    return sum(parts.get(name, 0.0) for name in _PENALTIES)
