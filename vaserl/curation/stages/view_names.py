"""Reads the names of a vase's views, as photographers write them: "front", "side B", "detail"."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

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
_FRONT, _ASIDE, _NUMBERED, _BACK, _OTHER, _NOT_WHOLE = 0, 1, 2, 4, 5, 6
_PATTERNS = tuple((rank, re.compile(rf"\b(?:{'|'.join(words.split()).replace('_', ' ')})\b")) for rank, words in _KINDS)
_NO_NAME = re.compile(
    r"\b(?:view|img|image|photo|photograph|picture|no|nr|v|p|dsc|dscf|dscn|fig|figure|pl|plate)\b|\d+|\s"
)


_LEFT = re.compile(r"\b(?:left|links|gauche|sinistra)\b")
_RIGHT = re.compile(r"\b(?:right|rechts|droite|destra)\b")
_LETTERED = re.compile(r"\b(?:side|face) ?[ab]\b|\b[ab] side\b")

NamedSide = Literal["front", "right", "back", "left", "aside"]
"""Side of a vase that a view's name states; "aside" is the right or the left one."""


def view_rank(view: str) -> tuple[int, tuple[int, ...], str]:
    """Returns a sort key that puts the views from which a vase is best seen first.

    The order is: front, side, view without a name or with a number only, three-quarter view, back, other names, views
    from above, from below and into the mouth, details. Views of one kind are ordered by their numbers ("view 2" before
    "view 10"), then by name.
    """
    text = _words(view)
    rank = next((rank for rank, pattern in _PATTERNS if pattern.search(text)), None)
    if rank is None:
        letters = _NO_NAME.sub("", text)
        rank = {"": _NUMBERED, "a": _FRONT, "b": _BACK}.get(letters, _OTHER)
    numbers = () if re.search(r"\b3 4\b", text) else tuple(int(number) for number in re.findall(r"\d+", text))
    return rank, numbers, text


def view_ranks(views: Sequence[str]) -> list[tuple[int, tuple[int, ...], str]]:
    """Returns the sort key of `view_rank` for each view of one vase.

    Where other views are named front and back, sides A and B are those between these, as in `named_sides`.
    """
    ranks = [view_rank(view) for view in views]
    return [
        (_ASIDE if side == "aside" else rank, numbers, text)
        for side, (rank, numbers, text) in zip(named_sides(views), ranks, strict=True)
    ]


def names_no_whole_vase(view: str) -> bool:
    """Returns whether the view's name says that it shows no whole vase from the side: a detail, or a view from above,
    from below or into the mouth."""
    return view_rank(view)[0] >= _NOT_WHOLE


def named_sides(views: Sequence[str]) -> list[NamedSide | None]:
    """Returns the side that each view of one vase shows by its name; None if the name states none.

    Sides A and B are front and back, unless other views are named so: then they are the sides between these.
    """
    ranks = [view_rank(view)[0] for view in views]
    lettered = [_LETTERED.search(_words(view)) is not None for view in views]
    others = {rank for rank, has_letter in zip(ranks, lettered, strict=True) if not has_letter}
    return [
        _side(_words(view), _ASIDE if has_letter and rank in (_FRONT, _BACK) and {_FRONT, _BACK} <= others else rank)
        for view, rank, has_letter in zip(views, ranks, lettered, strict=True)
    ]


def _side(text: str, rank: int) -> NamedSide | None:
    left, right = _LEFT.search(text) is not None, _RIGHT.search(text) is not None
    if rank == _ASIDE:
        return "aside" if left == right else "left" if left else "right"
    if left or right:  # "front left" is seen from between the two
        return None
    return "front" if rank == _FRONT else "back" if rank == _BACK else None


def _words(view: str) -> str:
    """Returns a view's name in lower case, without accents, its words and numbers separated by single spaces."""
    text = view.casefold().replace("\u00be", "3 4")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")
    return re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|[\W_]+", " ", text).strip()
