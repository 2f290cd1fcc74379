"""Records in the form of the Beazley Archive, put together from its phrases by a seeded generator."""

import csv
import random
from functools import cache
from pathlib import Path

STATES = ("", "", "", "", " FRAGMENT", " FRAGMENTS", " (?)", " (?) FRAGMENT")
QUALIFIERS = ("", "", "", "<em>Near</em> ", "<em>Manner of</em> ", "<em>Compare</em> ")
SCHOLARS = ("BEAZLEY", "HASPELS", "UNKNOWN", "SIGNATURE", "KUNZE-GOTTE")


def generated_records(number: int, seed: int = 0) -> list[dict[str, str]]:
    """Returns `number` records."""
    dice = random.Random(seed)
    return [_record(dice) for _ in range(number)]


def _record(dice: random.Random) -> dict[str, str]:
    record = {"Fabric": "ATHENIAN", "Technique": dice.choice(("BLACK-FIGURE", "RED-FIGURE"))}
    if dice.random() < 0.1:
        record["Sub Technique"] = "WHITE GROUND"
    record["Shape Name"] = dice.choice(_phrases()["shapes"]) + dice.choice(STATES)
    if dice.random() < 0.8:
        year = dice.randrange(-600, -350, 25)
        record["Date"] = f"{year} to {year + dice.choice((25, 50))}"
    if dice.random() < 0.9:
        record["Decoration"] = _decoration(dice)
    if dice.random() < 0.6:
        hands = (
            dice.choice(QUALIFIERS) + hand for hand in dice.sample(_phrases()["hands"], dice.choice((1, 1, 1, 2, 3)))
        )
        record["Attributed To"] = " | ".join(f"{hand} by {dice.choice(SCHOLARS)}" for hand in hands)
    return record


def _decoration(dice: random.Random) -> str:
    labels = dice.sample(_phrases()["labels"], dice.choice((1, 1, 2, 2, 2, 3)))
    if len(labels) == 1 and dice.random() < 0.5:
        return _scene(dice)
    return " | ".join(f"{label}: {_scene(dice)}" for label in sorted(labels))


def _scene(dice: random.Random) -> str:
    if dice.random() < 0.1:
        return dice.choice(_phrases()["ornaments"])
    parts = [dice.choice(_phrases()["events"])] * (dice.random() < 0.25)
    parts += [_group(dice) for _ in range(dice.choice((1, 1, 2, 2, 3)))]
    return ", ".join(parts)


def _group(dice: random.Random) -> str:
    who = _figure(dice)
    form = dice.random()
    if form < 0.2:
        return f"{who} {dice.choice(_phrases()['verbs'])} {_figure(dice)}"
    if form < 0.45:
        return f"{who} WITH {_thing(dice)}{dice.choice(('', '', f' AND {_thing(dice)}'))}"
    if form < 0.6:
        return f"{who} {dice.choice(_phrases()['postures'])}"
    if form < 0.75:
        return f"{who} BETWEEN {_plural(dice)}"
    if form < 0.85:
        return f"{who} AND {_figure(dice)}"
    return who + dice.choice(("", "", " (?)", " AT ALTAR", f" ON {_plural(dice)}"))


def _figure(dice: random.Random) -> str:
    return dice.choice(
        dice.choice(
            (
                _phrases()["gods"],
                _phrases()["heroes"],
                _phrases()["persons"],
                _phrases()["persons"],
                _phrases()["unique"],
                _phrases()["peoples"],
                (_plural(dice),),
            )
        )
    )


def _thing(dice: random.Random) -> str:
    return dice.choice(_phrases()["things"])


def _plural(dice: random.Random) -> str:
    return dice.choice(
        ("YOUTHS", "WOMEN", "SATYRS", "MAENADS", "WARRIORS", "DRAPED#YOUTHS", "LIONS", "HORSEMEN", "EYES")
    )


@cache
def _phrases() -> dict[str, list[str]]:
    lines = Path(__file__).with_name("archive_phrases.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")
    return {row["kind"]: row["phrases"].split("|") for row in rows}
