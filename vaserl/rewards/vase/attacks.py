"""Creates adversarial captions: texts that might raise a policy's reward without describing the vase better.

Each of them must get a lower reward than the reference caption.
"""

import random
import re
from collections.abc import Mapping

from vaserl.rewards.vase.dates import YearInterval
from vaserl.rewards.vase.lexicon import Vocabulary, lexicon
from vaserl.rewards.vase.parse import parse_caption
from vaserl.rewards.vase.rephrased import rephrased

_PROSE = "The potter sat long by the river and thought about his art with great care and patience."
_HANDS = "By the Berlin Painter, by the Brygos Painter, by Exekias, by Lydos, near the Pan Painter"
_CENTURIES = "8th century BC, 7th century BC, 6th century BC, 5th century BC, 4th century BC"
_WIDEST = "1000 BCE–1 CE"
_YEARS = ", ".join(f"c. {year} BCE" for year in range(600, 400, -20))
_DATE = re.compile(r"\bc\. [^,.;]*CE\b")
_LOOK_ALIKES = str.maketrans("aeopcy", "аеорсу")  # Cyrillic letters that look like these Latin ones


def attacks(reference: str, prompt: str = "Describe the vase.", seed: int = 0) -> Mapping[str, str]:
    """Returns adversarial captions for a vase, by name: "random words", "all shapes", "three times", "HTML", …

    Most are the reference caption in a distorted or padded form; others are the repeated prompt, or random letters.
    `rephrased` adds those that state the facts of the reference so that they should not count.
    """
    draw = random.Random(seed)
    words = reference.split()
    draw.shuffle(words)
    noise = ["".join(draw.choices("bcdfgjkqvwxz", k=draw.randint(3, 9))) for _ in range(20)]
    fabrics, shapes = _all("fabric"), _all("shape")
    stem = reference.rstrip(". ")
    undated = _DATE.sub(_WIDEST, reference)
    return {
        "empty": "",
        "prompt repeated": " ".join([prompt] * 5),
        "random words": " ".join(noise),
        "all fabrics": f"{fabrics} {reference}",
        "all techniques": f"{_all('technique')} {reference}",
        "all shapes": f"{reference} {shapes}",
        "all shapes first": f"{shapes}, {reference}",
        "widest date added": f"{stem}, {_WIDEST}.",
        **({"widest date instead": undated} if undated != reference else {}),
        "every century": f"{reference} {_CENTURIES}",
        "list of years": f"{reference} {_YEARS}",
        **({"nested dates": _DATE.sub(_nested, reference)} if undated != reference else {}),
        "many hands": f"{reference} {_HANDS}",
        "shuffled words": " ".join(words),
        "three times": " ".join([reference] * 3),
        "200 words of prose": f"{reference} {' '.join([_PROSE] * 12)}",
        "look-alikes": reference.translate(_LOOK_ALIKES),
        "full-width letters": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in reference),
        "100,000 characters": reference + "x" * 100_000,
        "100,000 characters of words": reference + " x" * 50_000,
        "HTML": "".join(f"<b>{word}</b> " for word in reference.split()),
        "Markdown": f"**{reference}**",
        "table": f"| {reference} |",
        "JSON": f'{{"caption": "{reference}"}}',
        **rephrased(reference, draw),
    }


def _nested(date: re.Match[str]) -> str:
    """Returns the date and four wider ones, each of which contains the one before it."""
    intervals = [
        YearInterval(interval.start - years or -1, interval.end + years or 1)
        for interval in parse_caption(date[0]).dating
        for years in (0, 20, 40, 80, 120)
    ]
    return ", ".join(map(str, intervals))


def _all(vocabulary: Vocabulary) -> str:
    return ", ".join(entry.names[0] for entry in lexicon(vocabulary).values())
