"""A grammar of captions: sixty templates that state a record as catalogues, labels, students and models do.

Each fact has several wordings. A caption states all facts of the record and no others.
"""

from collections.abc import Iterator

import numpy as np

from vaserl.synthetic.vase import PaintedFacts

FABRICS = {
    "ATHENIAN": ("Athenian", "Attic", "attic"),
    "CORINTHIAN": ("Corinthian", "corinthian"),
    "BOEOTIAN": ("Boeotian", "Boiotian"),
    "EUBOEAN": ("Euboean", "Eretrian"),
}
TECHNIQUES = {
    "BLACK-FIGURE": ("black-figure", "black-figured", "black figure", "b.f."),
    "RED-FIGURE": ("red-figure", "red-figured", "red figure", "r.f."),
    "WHITE-GROUND": ("white-ground", "white ground", "w.g."),
}
SHAPES = {
    "AMPHORA, NECK": ("neck-amphora", "neck amphora"),
    "LEKYTHOS": ("lekythos",),
    "KYLIX": ("kylix", "cup", "drinking cup"),
    "HYDRIA": ("hydria",),
    "KRATER, COLUMN": ("column-krater", "column krater", "columned krater"),
    "KRATER, VOLUTE": ("volute-krater", "volute krater"),
    "SKYPHOS": ("skyphos",),
    "OINOCHOE": ("oinochoe", "oenochoe"),
    "PELIKE": ("pelike",),
    "KRATER, BELL": ("bell-krater", "bell krater"),
    "AMPHORA, BELLY": ("belly-amphora", "belly amphora"),
    "ARYBALLOS": ("aryballos",),
}
DATES = {
    (-600, -550): ("the first half of the 6th century BC", "the first half of the sixth century BCE"),
    (-550, -525): ("the third quarter of the 6th century BC", "the third quarter of the sixth century B.C."),
    (-525, -500): ("the last quarter of the 6th century BCE", "the fourth quarter of the sixth c. BC"),
    (-500, -475): ("the first quarter of the 5th century B.C.", "the first quarter of the fifth century BC"),
    (-475, -425): (),
}
RANGES = (
    *("c. {a}–{b} BCE", "{a}-{b} BC", "ca. {a}–{b} B.C.", "about {a} to {b} BCE", "circa {a}-{b} BC"),
    *("{a} to {b} BC", "{a} BC to {b} BC", "around {a}—{b} BCE", "{a}/{b} BC", "−{a} to −{b}"),
)
DECORATIONS = {
    "WARRIOR WITH SHIELD AND SPEAR": ("a warrior with shield and spear", "a warrior with a spear and a shield"),
    "HORSE": ("a horse",),
    "HERAKLES AND THE LION": ("Herakles and the lion", "Herakles with the lion"),
    "EYES": ("eyes", "a pair of eyes"),
    "KOMAST DANCING": ("a dancing komast", "a komast dancing"),
    "CHARIOT": ("a chariot",),
    "LION": ("a lion",),
    "SIREN": ("a siren",),
    "PALMETTES": ("palmettes", "a palmette"),
    "OWL": ("an owl",),
    "SHIP": ("a ship",),
    "OCTOPUS": ("an octopus",),
}
HANDS = {
    "ANTIMENES P": "the Antimenes Painter",
    "BERLIN P": "the Berlin Painter",
    "AMASIS P": "the Amasis Painter",
    "BRYGOS P": "the Brygos Painter",
    "LYDOS": "Lydos",
    "ACHILLES P": "the Achilles Painter",
}
# {F} fabric, {T} technique, {S} shape, {D} date, {X} decoration, {H} hand; {a} is the article "a" or "an" before {F}.
TEMPLATES = (
    "{F} {T} {S}, {D}, depicting {X}, attributed to {H}.",
    "{F} {T} {S}, {D}, showing {X}. Attributed to {H}.",
    "{F} {T} {S} with {X}, {D}, by {H}.",
    "{F} {T} {S}. {D}. Attributed to {H}. Decorated with {X}.",
    "This {S} is {F}, painted in the {T} technique in {D}; it shows {X} and is attributed to {H}.",
    "This is {a} {F} {T} {S} of {D} that depicts {X}; it is attributed to {H}.",
    "{a} {F} {S} in the {T} technique, dated to {D}, with {X}, the work of {H}.",
    "{S}, {F}, {T}, {D}, depicting {X}, by {H}",
    "{S} ({F}, {T}), {D}. The scene shows {X}. Attributed to {H}.",
    "The vase is {a} {F} {S} decorated in {T}. It dates to {D}. It depicts {X}. It is attributed to {H}.",
    "Painted by {H} in {D}, this {F} {T} {S} shows {X}.",
    "Attributed to {H}, this {F} {T} {S} from {D} depicts {X}.",
    "Depicting {X}, this {F} {T} {S} dates to {D} and is attributed to {H}.",
    "Fabric: {F}; Technique: {T}; Shape: {S}; Date: {D}; Decoration: {X}; Attribution: {H}",
    "Fabric: {F}\nTechnique: {T}\nShape: {S}\nDate: {D}\nDecoration: {X}\nAttribution: {H}",
    "**Fabric:** {F}\n**Technique:** {T}\n**Shape:** {S}\n**Dating:** {D}\n**Decoration:** {X}\n**Attribution:** {H}",
    "- Fabric: {F}\n- Technique: {T}\n- Shape: {S}\n- Date: {D}\n- Decoration: {X}\n- Attributed to: {H}",
    "Shape: {S} | Fabric: {F} | Technique: {T} | Date: {D} | Attributed to: {H} | Decoration: {X}",
    "{F} ware, {T}, {S}, datable to {D}; {X}; attributed to {H}.",
    "{F} pottery: {T} {S} showing {X}, {D}, ascribed to {H}.",
    "Terracotta {S}. {F}, {T}. {D}. Attributed to {H}. On the body, {X}.",
    "A: {X}. {F} {T} {S}, {D}, attributed to {H}.",
    "{F} {T} {S}, {D}. A: {X}. B: {X}. Attributed to {H}.",
    "{X} on {a} {F} {T} {S}, {D}, attributed to {H}.",
    "{X} is depicted on this {F} {T} {S} of {D}, attributed to {H}.",
    "Ancient Greek {S} of {F} fabric, made in {D} in the {T} technique, with {X}, from the hand of {H}.",
    "This {S} made in {D} in {F} fabric and {T} technique represents {X} and was painted by {H}.",
    "In {D}, {H} painted this {F} {T} {S} with {X}.",
    "{H} painted this {F} {T} {S} with {X} in {D}.",
    "The {T} {S} is {F} and belongs to {D}. Its scene represents {X}. The painter is {H}.",
    "The fabric is {F}, the technique {T}, the shape {S}, the date {D}; the decoration is {X}; attributed to {H}.",
    "Dating to {D}, this {T} {S} of {F} fabric, decorated with {X}, has been attributed to {H}.",
    "Possibly by {H}: {F} {T} {S}, {D}, decorated with {X}.",
    "{F} {T} {S} (attributed to {H}), {D}: {X}.",
    "{F} {T} {S} by {H} ({D}) featuring {X}",
    "{F}, {T}, {S}, {D}, {H}, {X}",
    "I see {a} {F} {S}. The figures are in {T}. The scene shows {X}. It was made in {D}. I attribute it to {H}.",
    "It looks like {a} {F} {T} {S}, probably made in {D}, showing {X}, most likely by {H}.",
    "{F} {S}, {T} technique, {D}; main scene: {X}; painter: {H}.",
    "{a} {F} {T} {S} showing {X} on both sides; attributed to {H}; {D}.",
    "{D}, {F} {T} {S} attributed to {H}, with {X} on the front.",
    "<p>{F} <b>{T}</b> {S}, {D}, depicting {X}, attributed to <i>{H}</i>.</p>",
    "{F} {T} {S}, {D}, with a scene of {X}, attributed to {H}, Greek, terracotta.",
    "{F} {T} {S} produced in {D}; the image portrays {X}; attributable to {H}.",
    "A {T} {S} of {F} manufacture, assigned to {H} and dated to {D}, illustrating {X}.",
    "The {F} {S}, executed in {T}, is dated {D}. {H} decorated it with {X}.",
    "Subject: {X}. Object: {F} {T} {S}. Date: {D}. Artist: {H}.",
    "{F} {T} {S}, {D}, depicting {X}, signed by {H}.",
    "On this {F} {T} {S}, dated {D}, we see {X}. The hand is that of {H}.",
    "Here {X} decorates {a} {F} {T} {S} of {D}, attributed to {H}.",
    "{S} - {F} - {T} - {H} - {D} - {X}",
    "{S}. {T}. {F} production. {H}. {D}. {X}.",
    "Terracotta {S} (drinking vessel), Greek, {F}; {T}; {D}; attrib. to {H}; {X}",
    "{F} {T} {S} of {D}, believed to be the work of {H}: {X}.",
    "{F} {T} {S}, {D}, signed by {H} as painter; {X}.",
    "{S} found at Vulci. {F}, {T}. {D}. By {H}. {X}.",
    "{S} in {T}, {F}, {D}, {H}: {X}",
    "The {S}, {F} work of {D}, is {T}; the painter: {H}; A: {X}.",
    "{D}: {F} {T} {S}, attributed by Beazley to {H}; {X}.",
    "{H}: {F} {T} {S} with {X}; {D}.",
)


def paraphrases(facts: PaintedFacts, rng: np.random.Generator) -> Iterator[tuple[int, str]]:
    """Yields a caption of the facts for every template, with the template's index. The wording of each fact is drawn at
    random."""
    start, end = facts.dating
    for index, template in enumerate(TEMPLATES):
        ranges = tuple(form.format(a=-start, b=-end) for form in RANGES)
        words = {
            "F": _one(FABRICS[facts.fabric], rng),
            "T": _one(TECHNIQUES[facts.technique], rng),
            "S": _one(SHAPES[facts.shape], rng),
            "D": _one(DATES[facts.dating] + ranges, rng),
            "X": _one(DECORATIONS[facts.decoration], rng),
            "H": HANDS[facts.attribution],
        }
        article = "an" if words["F"][0].lower() in "aeio" else "a"
        text = template.format(a=article, **words)
        yield index, text[0].upper() + text[1:]


def _one(forms: tuple[str, ...], rng: np.random.Generator) -> str:
    return forms[int(rng.integers(len(forms)))]
