"""Writes the report's sentences about a run: which claims hold, and which dimensions are read from pixels or guessed.

A dimension is a property of a vase, such as its shape or date. The verb of a sentence depends on whether a confidence
interval lies above zero, lies below zero or contains zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vaserl.report.tables import COMPARED_KEYS
from vaserl.report.words import count, difference, dig, direction, number, percent, points, signed
from vaserl.runs.validation_row import ValidationRow, best_validation
from vaserl.types import Dimension

PERFECT_REWARD = 1.1
"""Reward of an answer that has every dimension (shape, date, …) right and gets the full bonus for its wording."""

MIN_GAP_SHARE = 0.15
"""Smallest share of the gap that training must close for the claim to hold.

The gap is `PERFECT_REWARD` minus the mean reward of the first ten steps.
"""

MIN_STATED = 10
"""Smallest number of captions that state a dimension for the report to say whether it is read or guessed."""

NOUN: Mapping[Dimension, str] = {
    "fabric": "the fabric",
    "technique": "the technique",
    "shape": "the shape",
    "dating": "the date",
    "decoration": "the decoration",
    "attribution": "the painter",
}

Reading = Literal["read", "guessed", "below guess", "silent", "no target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim about a run, and whether the run's numbers support it."""

    text: str
    holds: bool | None
    """True if the run's numbers support the claim, False if not, None if the run lacks these numbers."""
    detail: str
    """Text with the numbers that decide whether the claim holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionStory:
    """Result for one dimension (such as shape): whether SFT reads it from the picture or guesses it, and what RL
    changed."""

    dimension: Dimension
    sft_reading: Reading
    """Comparison of the SFT model's accuracy with that of a guess made without the picture. "read": the confidence
    interval of the difference lies above zero; "guessed": it contains zero; "below guess": it lies below zero.
    "silent": too few captions state the dimension. "no target": no held-out record states it."""
    rl_gain: int
    """1 if RL raised the accuracy, -1 if RL lowered it, 0 if the difference's confidence interval contains zero."""
    sentences: tuple[str, ...]
    """Sentences of the report's paragraph about the dimension, in order."""


def claims(summary: Mapping[str, Any]) -> tuple[Claim, Claim, Claim]:
    """Returns three claims: the training reward rises, RL beats SFT in reward, and RL beats SFT in wording."""
    text = f"GRPO closes at least {percent(MIN_GAP_SHARE)} of the gap to a perfect policy (reward {PERFECT_REWARD})"
    share = gap_share(summary)
    if share is None:
        training = Claim(text=text, holds=None, detail="summary.json lacks reward_first or reward_last")
    else:
        first, last = number(summary["reward_first"]), number(summary["reward_last"])
        detail = f"{first} over the first ten steps, {last} over the last ten: {percent(share)} of the gap"
        training = Claim(text=text, holds=share >= MIN_GAP_SHARE, detail=detail)
    return training, _better(summary, "reward", "total reward"), _better(summary, "lexical_paper", "lexical similarity")


def _better(summary: Mapping[str, Any], metric: str, name: str) -> Claim:
    text = f"RL beats SFT on held-out vases in {name}"
    measured = dig(summary, "eval", *COMPARED_KEYS[2], metric)
    if measured is None:
        return Claim(text=text, holds=None, detail=f"summary.json lacks eval.difference.{metric}")
    detail = f"paired difference {difference(measured)} over {count(dig(summary, 'eval', 'num_vases') or 0)} vases"
    return Claim(text=text, holds=direction(measured) > 0, detail=detail)


def gap_share(summary: Mapping[str, Any]) -> float | None:
    """Returns the share of the gap to a perfect policy that training closed: (last - first) / (perfect - first).

    first, last: mean rewards of the first and the last ten steps. Returns None if one is missing or there is no gap.
    """
    first, last = summary.get("reward_first"), summary.get("reward_last")
    if first is None or last is None or first >= PERFECT_REWARD:
        return None
    return (last - first) / (PERFECT_REWARD - first)


def headline(summary: Mapping[str, Any]) -> str:
    """Returns text that states whether all claims hold, and otherwise lists the failed and the undecided claims."""
    decided = claims(summary)
    broken = [claim for claim in decided if claim.holds is False]
    unknown = [claim for claim in decided if claim.holds is None]
    if not broken and not unknown:
        return "All three claims hold."
    parts = []
    if broken:
        parts.append("Does not hold: " + "; ".join(claim.text for claim in broken) + ".")
    if unknown:
        parts.append("Can't be decided: " + "; ".join(claim.text for claim in unknown) + ".")
    return " ".join(parts)


def verdict(summary: Mapping[str, Any]) -> str:
    """Returns the paragraph under the report's title: rewards, difference between RL and SFT, and their meaning."""
    sentences = []
    share = gap_share(summary)
    if share is not None:
        verb = "rose" if share > 0 else "did not rise: it went"
        sentences.append(
            f"Over {count(summary['num_steps'])} steps of GRPO the mean reward {verb} from "
            f"{number(summary['reward_first'])} (first ten steps) to {number(summary['reward_last'])} (last ten), "
            f"{percent(share)} of the way to a perfect policy's {PERFECT_REWARD}."
        )
    reward, lexical = (dig(summary, "eval", *COMPARED_KEYS[2], name) for name in ("reward", "lexical_paper"))
    if reward is None:
        sentences.append("The run was not evaluated on held-out vases.")
        return " ".join(sentences)
    sft, rl = (number(summary["eval"]["systems"][system]["reward"]["mean"]) for system in ("sft", "rl"))
    relation = {1: "above", 0: "not distinguishable from", -1: "below"}[direction(reward)]
    sentences.append(
        f"On {count(summary['eval']['num_vases'])} held-out vases the reinforced model scores {rl} and the supervised "
        f"one {sft}: RL is {relation} SFT, with a paired difference of {difference(reward)} (95 % interval)."
    )
    if lexical is not None:
        word = {1: "closer to", 0: "no measurably closer to", -1: "further from"}[direction(lexical)]
        sentences.append(f"Its wording is {word} the reference captions ({difference(lexical)} lexical similarity).")
    return " ".join(sentences)


def validated(validations: Sequence[ValidationRow], metric: str) -> str:
    """Returns the sentences below the figure of the validations: the vases, the intervals and the best weights."""
    best = best_validation(validations, metric)
    if best is None:
        return ""
    first, last = validations[0], validations[-1]
    vases = f"{count(first.num_vases)} vases of the split {first.split}"
    if first.sample_seed is not None:
        vases = f"{count(first.num_vases)} of the {count(first.num_split_vases)} vases of the split {first.split}"
    text = f"Greedy captions of {vases} before the first step and every few steps; the band is the 95 % interval."
    value = number(best.means()[metric])
    if best is last:
        return f"{text} The last weights are the best: {metric} {value}."
    final = number(last.means()[metric]) if metric in last.means() else "undefined"
    return f"{text} The best weights are those after step {best.step}: {metric} {value}; the last ones have {final}."


def reading(result: Mapping[str, Any]) -> Reading:
    """Returns whether a model reads a dimension from the picture or guesses it.

    The accuracy of its statements is compared with that of a guess made without seeing the picture.
    result: the model's numbers for this dimension in evaluation.json.
    """
    if result["num_targets"] == 0:
        return "no target"
    if result["num_stated"] < MIN_STATED or result["over_guess"] is None:
        return "silent"
    return ("guessed", "read", "below guess")[direction(result["over_guess"])]


def dimension_story(dimension: Dimension, evaluation: Mapping[str, Any]) -> DimensionStory:
    """Describes whether SFT reads a dimension from the picture or guesses it, and what RL changed.

    evaluation: content of evaluation.json.
    """
    sft, rl = (evaluation["systems"][system]["dimensions"][dimension] for system in ("sft", "rl"))
    change = evaluation["differences"]["rl"]["dimensions"][dimension]
    noun = NOUN[dimension]
    sft_reading, rl_reading = reading(sft), reading(rl)
    if sft_reading == "no target" or change["accuracy"] is None:
        sentences = (f"No held-out record states {noun}, so accuracy is undefined.",)
        return DimensionStory(dimension=dimension, sft_reading="no target", rl_gain=0, sentences=sentences)
    sentences = [_what_sft_does(noun, sft, sft_reading), *_what_rl_added(noun, sft, rl, change)]
    if rl_reading != sft_reading:
        sentences.append(_how_rl_comes_by_it(noun, rl, rl_reading))
    sentences.extend(_what_rl_invents(noun, sft, rl))
    return DimensionStory(
        dimension=dimension,
        sft_reading=sft_reading,
        rl_gain=direction(change["accuracy"]),
        sentences=tuple(sentences),
    )


def _what_sft_does(noun: str, sft: Mapping[str, Any], how: Reading) -> str:
    stated = percent(sft["stated"]["mean"])
    if how == "silent":
        return (
            f"SFT names {noun} on {sft['num_stated']} of {sft['num_targets']} vases: too few to tell reading from "
            f"guessing."
        )
    right, guess = percent(sft["accuracy_when_stated"]["mean"]), percent(sft["guess_when_stated"]["mean"])
    margin = points(sft["over_guess"])
    ends = {
        "read": f"it reads {noun} from the picture",
        "guessed": "no better than guessing, so nothing shows that it looks at the picture for this",
        "below guess": "worse than guessing without the picture",
    }
    return (
        f"SFT names {noun} on {stated} of the vases and is right on {right} of those, where the best guess without "
        f"pixels is right on {guess} ({margin}): {ends[how]}."
    )


def _what_rl_added(noun: str, sft: Mapping[str, Any], rl: Mapping[str, Any], change: Mapping[str, Any]) -> list[str]:
    before, after = percent(sft["accuracy"]["mean"]), percent(rl["accuracy"]["mean"])
    gain, speech = direction(change["accuracy"]), direction(change["stated"])
    stated = f"{percent(sft['stated']['mean'])} to {percent(rl['stated']['mean'])}"
    margin = points(change["accuracy"])
    if gain == 0:
        said = f"RL leaves the accuracy over all vases where it was ({before}, then {after}; {margin})"
        if speech:
            more = "more" if speech > 0 else "less"
            return [f"{said}, though it names {noun} {more} often ({stated} of the vases)."]
        return [f"{said}."]
    speaking, rightness = accuracy_shares(sft, rl)
    verb = "raises" if gain > 0 else "lowers"
    return [
        f"RL {verb} the accuracy over all vases from {before} to {after} ({margin}): {signed(100 * speaking, 0)} of it "
        f"through naming {noun} {'more' if speaking >= 0 else 'less'} often ({stated} of the vases), "
        f"{signed(100 * rightness, 0)} through being right {'more' if rightness >= 0 else 'less'} often when it does."
    ]


def accuracy_shares(sft: Mapping[str, Any], rl: Mapping[str, Any]) -> tuple[float, float]:
    """Splits the change of accuracy from SFT to RL into two terms and returns both.

    The first term is due to stating the dimension more often, the second to being right more often when stating it.
    Let s be the share of captions that state the dimension, and q the accuracy of these captions. Then accuracy = s q,
    and its change is exactly (s₁-s₀)(q₀+q₁)/2 + (q₁-q₀)(s₀+s₁)/2 (Kitagawa 1955).
    Index 0 is SFT, index 1 is RL.
    A model that never states the dimension has no q and gets the other model's q, so that the second term is 0.
    """
    s_0, s_1 = sft["stated"]["mean"], rl["stated"]["mean"]
    either = sft["accuracy_when_stated"] or rl["accuracy_when_stated"] or {"mean": 0.0}
    q_0, q_1 = ((result["accuracy_when_stated"] or either)["mean"] for result in (sft, rl))
    if sft["accuracy_when_stated"] is None:
        q_0 = q_1
    return (s_1 - s_0) * (q_0 + q_1) / 2, (q_1 - q_0) * (s_0 + s_1) / 2


def _how_rl_comes_by_it(noun: str, rl: Mapping[str, Any], how: Reading) -> str:
    if how == "silent":
        return f"RL names {noun} on only {rl['num_stated']} of {rl['num_targets']} vases."
    margin = points(rl["over_guess"])
    return {
        "read": f"RL reads it from the picture: {margin} above the guess on the vases where RL names it.",
        "guessed": f"RL is no better than the guess on the vases where it names it ({margin}).",
        "below guess": f"RL is worse than the guess on the vases where it names it ({margin}).",
    }[how]


def _what_rl_invents(noun: str, sft: Mapping[str, Any], rl: Mapping[str, Any]) -> list[str]:
    if rl["invented"] is None or max(rl["invented"]["mean"], sft["invented"]["mean"]) == 0:
        return []
    return [
        f"Where the record leaves {noun} open, SFT names one nonetheless on {percent(sft['invented']['mean'])} of the "
        f"vases, RL on {percent(rl['invented']['mean'])}."
    ]
