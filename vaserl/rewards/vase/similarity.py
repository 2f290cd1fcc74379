"""Computes the similarity of a stated and a target value (two shapes, two dates, …); it is in [0, 1] and symmetric."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log, sqrt
from types import MappingProxyType

from rapidfuzz import fuzz

from vaserl.rewards.vase.attribution import Attribution
from vaserl.rewards.vase.config import ParserConfig, RewardConfig
from vaserl.rewards.vase.dates import YearInterval, ordinal
from vaserl.rewards.vase.facts import Term
from vaserl.rewards.vase.hands import core, museum_numbers, possible_hands
from vaserl.rewards.vase.parse import parse_record
from vaserl.rewards.vase.text import stem, text_similarity

Encode = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Function (sentence encoder) that takes N texts and returns N vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardContext:
    """Inputs of the reward other than its constants, the task and the completion: word weights and sentence encoder."""

    word_weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Weight of each word that describes a decoration, by lemma; a rare word has a greater weight."""
    unseen_weight: float = 1.0
    """Weight of a lemma that isn't in `word_weights`."""
    encode: Encode | None = None
    """Sentence encoder; required if the config sets `similarity = "embedding"`."""

    def word_weight(self, word: str) -> float:
        """Returns the weight of a word that describes a decoration; `word` is a lemma."""
        return self.word_weights.get(word, self.unseen_weight)


def fit_word_weights(
    records: Sequence[Mapping[str, str]], parser: ParserConfig | None = None
) -> tuple[Mapping[str, float], float]:
    """Returns the weight of each lemma in the decorations of the training records, and the weight of any other lemma.

    If n of the N records contain a lemma, its weight is an inverse document frequency, 1 + ln((1 + N) / (1 + n)). A
    lemma that every record contains has the weight 1.
    """
    counts: dict[str, int] = {}
    for record in records:
        for word in parse_record(record, parser or ParserConfig()).decoration:
            counts[word] = counts.get(word, 0) + 1
    total = len(records)
    weights = {word: 1 + log((1 + total) / (1 + count)) for word, count in sorted(counts.items())}
    return MappingProxyType(weights), 1 + log(1 + total)


def term_similarity(a: Term, b: Term) -> float:
    """Returns the similarity of two fabrics or two techniques: 1 for the same lexicon entry, else 0.

    If neither term is in the lexicon, returns the `text_similarity` of their words.
    """
    if a.id or b.id:
        return float(a.id == b.id)
    return text_similarity(a.text, b.text)


def shape_similarity(a: Term, b: Term, config: RewardConfig) -> float:
    """Returns the similarity of two shapes: 1 for the same lexicon entry, 0 for unrelated entries.

    It is `config.shape_family` for a shape and one of its subtypes (amphora, neck-amphora), and
    `config.shape_other_subtype` for two subtypes of one shape. For a shape that isn't in the lexicon see
    `term_similarity`.
    """
    if a.id == b.id or not (a.id and b.id):
        return term_similarity(a, b)
    family_a, _, subtype_a = a.id.partition("/")
    family_b, _, subtype_b = b.id.partition("/")
    if family_a != family_b:
        return 0.0
    return config.shape_other_subtype if subtype_a and subtype_b else config.shape_family


def interval_similarity(a: YearInterval, b: YearInterval) -> float:
    """Returns the intersection over union of two intervals of years; 1 BCE and 1 CE are one year apart."""
    if a == b:
        return 1.0
    shared, length_a, length_b = _shared_years(a, b)
    union = length_a + length_b - shared
    return shared / union if union else 0.0


def lies_inside(stated: YearInterval, target: YearInterval, config: RewardConfig) -> bool:
    """Returns True if at least `config.dating_inside_share` of the stated interval lies within the target's.

    Such a date is right and more precise than the record, or nearly so. It earns `config.dating_inside`, half of the
    dimension, if its similarity is below tau. Half is the most at which guessing doesn't pay. The periods of the
    Beazley archive, 50 years long and 25 apart, overlap, so a guess may lie inside two of them. On records of these
    periods, with probabilities p1 and p2, it earns (p1 + p2) / 2; stating the likelier period earns max(p1, p2).
    """
    shared, length, _ = _shared_years(stated, target)
    return shared >= config.dating_inside_share * length


def _shared_years(a: YearInterval, b: YearInterval) -> tuple[int, int, int]:
    """Returns the number of years that two intervals share, and the lengths of both."""
    a0, a1, b0, b1 = ordinal(a.start), ordinal(a.end), ordinal(b.start), ordinal(b.end)
    return max(0, min(a1, b1) - max(a0, b0)), a1 - a0, b1 - b0


def attribution_similarity(a: Attribution, b: Attribution, config: RewardConfig) -> float:
    """Returns the similarity of two attributions: 1 if they are equal, 0 for two different hands of the lexicon.

    It is `config.attribution_other_qualifier` if only the role or the qualifier differs. If the names differ and at
    least one of them isn't in the lexicon, it is the `text_similarity` of the names; names with different numbers
    ("Munich 1501", "Munich 1519") have the similarity 0.
    """
    if a == b:
        return 1.0
    hands_a, hands_b = possible_hands(a.name, a.role), possible_hands(b.name, b.role)
    if hands_a and hands_b and hands_a.isdisjoint(hands_b):
        return 0.0
    core_a, core_b = core(a.name), core(b.name)
    if core_a == core_b:
        return config.attribution_other_qualifier
    return text_similarity(core_a, core_b) if museum_numbers(core_a) == museum_numbers(core_b) else 0.0


def attribution_pairs(given: Sequence[Attribution], target: Sequence[Attribution]) -> list[tuple[int, int]]:
    """Returns the index pairs of attributions that can be similar.

    Up to 256 pairs it is every pair. If there are more, it is the pairs with the same name: misspelt names are not
    forgiven in a list of hundreds of artists, which would take a tenth of a second to compare.
    """
    if len(given) * len(target) <= _MAX_PAIRS:
        return [(i, j) for i in range(len(given)) for j in range(len(target))]
    places: dict[str, list[int]] = {}
    for j, attribution in enumerate(target):
        places.setdefault(core(attribution.name), []).append(j)
    return [(i, j) for i, attribution in enumerate(given) for j in places.get(core(attribution.name), ())]


_MAX_PAIRS = 256


def words_similarity(a: Sequence[str], b: Sequence[str], config: RewardConfig, context: RewardContext) -> float:
    """Returns the F1 score of two sets of lemmas; each lemma counts with its weight in `context`.

    Equal lemmas match. The other lemmas are matched in pairs, the pair with the most similar spelling first, as long as
    the similarity is at least `config.word_cutoff`; forms of one verb ("pursues", "pursuing") have the similarity 1.
    Each lemma has at most one match.
    """
    if not a or not b:
        return 0.0
    weigh = context.word_weight
    common = set(a) & set(b)
    rest_a, rest_b = [w for w in a if w not in common], [w for w in b if w not in common]
    shared = sum(map(weigh, common))
    weight_a, weight_b = shared + sum(map(weigh, rest_a)), shared + sum(map(weigh, rest_b))
    matched_a = matched_b = shared
    pairs = []
    cutoff = 100 * config.word_cutoff
    latin_b = [(w, stem(w)) for w in rest_b if w.isascii()]
    for x, stem_x in ((w, stem(w)) for w in rest_a if w.isascii()):
        for y, stem_y in latin_b:
            ratio = 100.0 if stem_x == stem_y else fuzz.ratio(x, y, score_cutoff=cutoff)  # 0 below the cutoff
            if ratio:
                pairs.append((-ratio, min(x, y), max(x, y), x, y))
    taken: set[tuple[int, str]] = set()
    for *_, x, y in sorted(pairs):
        if (0, x) not in taken and (1, y) not in taken:
            taken |= {(0, x), (1, y)}
            matched_a += weigh(x)
            matched_b += weigh(y)
    precision = matched_a / weight_a if weight_a else 0.0
    recall = matched_b / weight_b if weight_b else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def cosine_similarity(a: str, b: str, encode: Encode) -> float:
    """Encodes two texts and returns the cosine similarity of their vectors; 0 if the cosine is negative."""
    u, v = encode([a, b])
    norm = sqrt(sum(x * x for x in u)) * sqrt(sum(y * y for y in v))
    return max(0.0, min(1.0, sum(x * y for x, y in zip(u, v, strict=True)) / norm)) if norm else 0.0
