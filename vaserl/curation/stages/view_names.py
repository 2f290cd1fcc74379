"""Orders a vase's photographs by the names of their views, as photographers write them: "front", "side B", "detail"."""

import re
import unicodedata

_KINDS: tuple[tuple[int, str], ...] = (
    (7, "detail details det macro sherd fragment inscription signature graffito neck(?!_amphora) handles?(?!_side)"),
    (7, "close_?up rim lip shoulder drawing scale label colou?r_?card broken restoration uv x_?ray rollout roll_out"),
    (6, "bottom base below beneath underside underneath foot under unten boden dessous sotto"),
    (6, "interior inside tondo medallion mouth into innen interieur interno"),
    (6, "top above overhead aerial bird_s_eye oben dessus alto"),
    (1, "a_b b_a ab ba"),  # "side A/B" is seen between the two
    (4, "back rear reverse rev verso side_?b b_?side face_?b"),
    (4, "ruckseite rueckseite hinten dos arriere revers retro dietro"),
    (3, "three_?quarters? 3_4 quarter oblique angled? diagonal dreiviertel trois_quarts tre_quarti"),
    (0, "front frontal obverse obv recto side_?a a_?side face_?a main principal primary"),
    (0, "vorderseite vorne devant avers fronte overall whole full general gesamt ensemble insieme"),
    (1, "profile left right lateral sides? seite links rechts profil gauche droite cote lato sinistra destra"),
)
"""Ranks and the words that stand for them; a name with words of several kinds gets the first kind in this list."""
_NUMBERED, _OTHER = 2, 5
_PATTERNS = tuple((rank, re.compile(rf"\b(?:{'|'.join(words.split()).replace('_', ' ')})\b")) for rank, words in _KINDS)
_NO_NAME = re.compile(
    r"\b(?:view|img|image|photo|photograph|picture|no|nr|v|p|dsc|dscf|dscn|fig|figure|pl|plate)\b|\d+|\s"
)


def view_rank(view: str) -> tuple[int, tuple[int, ...], str]:
    """Returns a sort key that puts the views from which a vase is best seen first.

    The order is: front, side, view without a name or with a number only, three-quarter view, back, other names, views
    from above, from below and into the mouth, details. Views of one kind are ordered by their numbers ("view 2" before
    "view 10"), then by name.
    """
    text = view.casefold().replace("\u00be", "3 4")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")
    text = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|[\W_]+", " ", text).strip()
    rank = next((rank for rank, pattern in _PATTERNS if pattern.search(text)), None)
    if rank is None:
        letters = _NO_NAME.sub("", text)
        rank = {"": _NUMBERED, "a": 0, "b": 4}.get(letters, _OTHER)
    numbers = () if re.search(r"\b3 4\b", text) else tuple(int(number) for number in re.findall(r"\d+", text))
    return rank, numbers, text
