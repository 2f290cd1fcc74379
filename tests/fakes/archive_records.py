"""Records with values as the Beazley archive words them, whose frequencies are as uneven as in collections."""

import random

from vaserl.rewards.vase import lexicon
from vaserl.rewards.vase.hands import plain_names

SCENES = """THESEUS AND MINOTAUR BETWEEN WOMEN|WARRIOR LEAVING HOME, OLD MAN WITH STAFF, WOMAN, DOG|
JUDGEMENT OF PARIS, HERMES, ATHENA|DEPARTURE OF WARRIOR|HERAKLES AND LION, IOLAOS, ATHENA|
EOS PURSUING TITHONOS WITH LYRE|FIGHT, WARRIORS OVER FALLEN WARRIOR|HEAD OF WOMAN IN SAKKOS|
CHARIOT IN PROFILE, WARRIOR, ARCHER|SATYR PURSUING MAENAD|ACHILLES AND AJAX PLAYING DICE|
THRACIAN WOMAN WITH SICKLE PURSUING ORPHEUS|WARRIORS ARMING, ONE PUTTING ON GREAVE|
TWO WOMEN AT LOUTERION, ONE WITH SPONGE|WOMAN SEATED, WITH MIRROR|DANCING SATYR|EUROPA ON THE BULL|
EROS FLYING|POSEIDON WITH TRIDENT, NEREIDS|ACHILLES SLAYING PENTHESILEIA|DRAPED YOUTHS|
ZEUS CARRYING GANYMEDE|LIONS ATTACKING BULL|DIONYSOS WITH VINE BETWEEN SATYRS|
SYMPOSION, YOUTHS RECLINING|ATHLETES, ONE WITH DISKOS, TRAINER|NIKE CROWNING YOUTH|PALMETTES|SIREN|
SPHINX|OWL BETWEEN SPRIGS|PROCESSION TO ALTAR, MAN LEADING BULL|HERAKLES STRANGLING LION|
KOMOS, YOUTHS DANCING|MENELAOS PURSUING HELEN|AJAX CARRYING BODY OF ACHILLES|
ORESTES KILLING AIGISTHOS, KLYTAIMNESTRA WITH AXE|BATTLE, HOPLITES|WOMEN AT FOUNTAIN|HORSEMAN AND DOG|
COCKS|AMAZONOMACHY, HERAKLES AND AMAZONS, ONE FALLEN""".replace("\n", "").split("|")
PAINTERS = """BERLIN P|HAIMON P|ANTIMENES P|PAN P|LEAGROS GROUP|BRYGOS P|ACHILLES P|EUCHARIDES P|BEAULIEU P|GROUP E|
PAINTER OF MUNICH 1501|KLEOPHRADES P|NIOBID P|EDINBURGH P|MEIDIAS P|SAPPHO P""".replace("\n", "").split("|")
LABELS = ("", "A: ", "A,B: ", "I: ")


def archive_records(num_records: int, seed: int) -> list[dict[str, str]]:
    """Draws records that state all six dimensions; each value is 0.8 times as likely as the one before it."""
    draw = random.Random(seed)
    fabrics, techniques, shapes = (
        [entry.names[0].upper() for entry in lexicon(vocabulary).values()]
        for vocabulary in ("fabric", "technique", "shape")
    )
    hands = [*PAINTERS, *(name.upper() for name in sorted(plain_names()))]
    draw.shuffle(hands)

    def skewed(values: list[str], ratio: float = 0.8) -> str:
        return draw.choices(values, [ratio**rank for rank in range(len(values))])[0]

    records = []
    for _ in range(num_records):
        start = draw.choice(range(-600, -325, 25))
        hand = skewed(hands, 0.95)
        records.append(
            {
                "Fabric": skewed(fabrics, 0.3),
                "Technique": skewed(["BLACK-FIGURE", "RED-FIGURE", "WHITE GROUND", *techniques], 0.5),
                "Shape Name": skewed(shapes, 0.9),
                "Date": f"{start} to {start + 50}",
                "Attributed To": f"{draw.choice(('', '', '<em>Near</em> '))}{hand} by BEAZLEY",
                "Decoration": " | ".join(f"{label}{draw.choice(SCENES)}" for label in (draw.choice(LABELS),)),
            }
        )
    return records
