"""The vases of a fake run: their records, the captions of two systems, and their turntable videos."""

import zlib
from collections.abc import Sequence

import numpy as np

from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension, Score

VALUES: dict[Dimension, list[str]] = {
    "fabric": ["Athenian", "Corinthian", "Lucanian", "Euboean"],
    "technique": ["black-figure", "red-figure", "white-ground"],
    "shape": ["lekythos", "kylix", "pelike", "hydria", "skyphos"],
    "dating": ["600-575", "575-550", "550-525", "525-500"],
    "decoration": ["a warrior", "a horse", "an owl", "a ship", "palmettes"],
    "attribution": ["Berlin", "Amasis", "Brygos", "Meidias"],
}
COLOURS = {
    "Athenian": (199, 100, 52),
    "Corinthian": (222, 200, 150),
    "Lucanian": (166, 120, 86),
    "Euboean": (150, 60, 40),
}


def describe(values: dict[Dimension, str | None]) -> str:
    """Returns a caption that states all values that are not None."""
    head = " ".join(value for name in ("fabric", "technique", "shape") if (value := values[name]))
    tail = [
        f"c. {values['dating']} BCE" if values["dating"] else "",
        f"depicting {values['decoration']}" if values["decoration"] else "",
        f"attributed to the {values['attribution']} Painter" if values["attribution"] else "",
    ]
    return ", ".join(filter(None, [head, *tail])) + "."


def read_caption(caption: str) -> dict[Dimension, str | None]:
    return {name: next((value for value in VALUES[name] if value in caption), None) for name in DIMENSIONS}


def read_record(record) -> dict[Dimension, str | None]:
    return {name: record.get(field) for name, field in FIELD_OF_DIMENSION.items()}


def bag_of_words(texts: Sequence[str]) -> np.ndarray:
    vectors = np.full((len(texts), 48), 0.05)
    for row, text in zip(vectors, texts, strict=True):
        for word in text.lower().split():
            row[zlib.crc32(word.encode()) % 48] += 1
    return vectors


def draw_vase(rng: np.random.Generator) -> dict[Dimension, str | None]:
    values: dict[Dimension, str | None] = {name: str(rng.choice(options)) for name, options in VALUES.items()}
    if (
        rng.random() < 0.5
    ):  # half of the vases have the scene that goes with their shape, which a model can guess without pixels
        values["decoration"] = VALUES["decoration"][VALUES["shape"].index(str(values["shape"]))]
    return values


SKILL: dict[str, dict[Dimension, tuple[float, float]]] = {
    "sft": dict(zip(DIMENSIONS, [(1, 0.95), (1, 0.98), (1, 0.95), (1, 0.88), (1, 0.0), (0.4, 0.55)], strict=True)),
    "rl": dict(zip(DIMENSIONS, [(1, 0.96), (1, 0.98), (1, 0.95), (1, 0.88), (1, 0.0), (1, 0.62)], strict=True)),
}
"""For each system and dimension: the share of captions that state the dimension, and the share of those that are
right."""


def answer(truth: dict[Dimension, str | None], system: str, rng: np.random.Generator) -> dict[Dimension, str | None]:
    stated: dict[Dimension, str | None] = {}
    for name in DIMENSIONS:
        share_stated, share_right = SKILL[system][name]
        if name == "decoration":  # the model can't read the decoration and states the scene that goes with the shape
            stated[name] = VALUES[name][VALUES["shape"].index(str(truth["shape"]))]
        elif rng.random() >= share_stated:
            stated[name] = None
        else:
            stated[name] = truth[name] if rng.random() < share_right else str(rng.choice(VALUES[name]))
    return stated


def score(truth: dict[Dimension, str | None], caption: str) -> Score:
    stated = read_caption(caption)
    similar = {name: float(stated[name] == truth[name]) for name in DIMENSIONS if truth[name] is not None}
    total = sum(similar.values()) / len(similar) + 0.1 * (sum(similar.values()) / 6) ** 2
    return Score(total=total, parts={**similar})


def spinning_vase(colour: tuple[int, int, int], seed: int, num_frames: int = 24, side: int = 112) -> np.ndarray:
    """Returns the frames of a shaded vase with painted patches that turns once: uint8 [num_frames, side, side, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side * 2 - 1
    profile = 0.34 + 0.22 * np.cos(2.4 * (y + 0.05 * seed % 0.5)) + 0.05 * np.cos(9 * y)
    inside = (np.abs(x) < profile) & (np.abs(y) < 0.9)
    across = np.clip(x / profile, -1, 1)
    patches = rng.random((4, 10)) < 0.45
    frames = np.full((num_frames, side, side, 3), 246, dtype=np.uint8)
    for index in range(num_frames):
        angle = (np.arcsin(across) + 2 * np.pi * index / num_frames) % (2 * np.pi)
        painted = patches[np.clip(((y + 0.45) * 4.5).astype(int), 0, 3), (angle / (2 * np.pi) * 10).astype(int) % 10]
        painted &= np.abs(y) < 0.45
        shade = 0.45 + 0.55 * np.sqrt(1 - across**2)
        body = np.where(painted[..., None], (32, 26, 24), colour) * shade[..., None]
        frames[index][inside] = body[inside].astype(np.uint8)
    return frames
