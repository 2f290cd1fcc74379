"""Random paints of vases: figured, banded, plain clay, glossy black, white ground; worn, cracked, filled with plaster.

A texture's rows are, from the top: the inside from floor to lip, a strip for the handles, the outside from lip to foot,
and a strip for the underside. Columns run once around the vase.
"""

import numpy as np
from PIL import Image, ImageDraw

from vaserl.synthetic.figures import SUBJECTS, silhouette
from vaserl.synthetic.ornament import HANDS, band
from vaserl.synthetic.pen import coverage

WIDTH_PX, HEIGHT_PX = 768, 464
STRIP = 16
"""Height in pixels of the strips for handles and underside."""
_INSIDE = 64
INSIDE_V = (1 - 2 / HEIGHT_PX, 1 - (_INSIDE - 2) / HEIGHT_PX)
"""Texture coordinates of the inside's floor and lip."""
HANDLE_V = 1 - (_INSIDE + STRIP / 2) / HEIGHT_PX
UNDERSIDE_V = STRIP / 2 / HEIGHT_PX
OUTSIDE_V = ((STRIP + 2) / HEIGHT_PX, 1 - (_INSIDE + STRIP + 2) / HEIGHT_PX)
"""Texture coordinates of the outside's foot and lip."""
_TOP, _BOTTOM = _INSIDE + STRIP, HEIGHT_PX - STRIP

CLAYS = ((204, 112, 60), (196, 128, 84), (222, 168, 120), (230, 212, 156), (158, 124, 98), (146, 60, 40), (120, 96, 80))
SLIPS = ((28, 24, 24), (40, 36, 30), (60, 38, 26), (30, 36, 34), (80, 44, 28), (20, 18, 20))
PALES = ((242, 236, 222), (226, 214, 192), (214, 206, 196), (236, 228, 214))
SCHEMES = ("red", "black", "white", "plain", "gloss", "banded", "loud", "glazed")
_P_SCHEMES = (0.26, 0.16, 0.08, 0.12, 0.1, 0.07, 0.05, 0.16)
_BARE = ("plain", "gloss", "glazed")
"""Schemes without ornaments."""


def sample_paint(rng: np.random.Generator) -> Image.Image:
    """Returns the texture of a random vase, RGB of WIDTH_PX x HEIGHT_PX pixels."""
    scheme = str(rng.choice(SCHEMES, p=_P_SCHEMES))
    clay, slip, pale = (_near(table[rng.integers(len(table))], rng) for table in (CLAYS, SLIPS, PALES))
    if scheme == "loud":
        clay, slip, pale = (rng.integers(0, 256, 3).astype(np.float32) for _ in range(3))
    ground = {"red": slip, "gloss": slip, "white": pale}.get(scheme, clay)
    figure = {"red": clay, "white": np.array([112.0, 66.0, 40.0]), "gloss": slip}.get(scheme, slip)
    canvas = np.tile(ground.astype(np.float32), (HEIGHT_PX, WIDTH_PX, 1))
    layers = np.stack([ground, figure, ground, np.array([150.0, 40.0, 50.0]), np.array([236.0, 226.0, 204.0])])
    if scheme in ("red", "black", "white", "loud"):
        _figures(canvas, layers, rng)
        if rng.random() < 0.7:
            _drapery(canvas, figure, ground, rng)
    if scheme == "glazed":
        _glazed(canvas, rng)
    elif scheme == "banded" or rng.random() < 0.4:
        _stripes(
            canvas, (clay, slip, pale), rng, int(rng.integers(3, 24) if scheme == "banded" else rng.integers(1, 5))
        )
    if scheme not in _BARE:
        for _ in range(int(rng.integers(0, 4))):
            _ornament(canvas, layers, rng)
    if rng.random() < 0.5 and scheme not in ("plain", "glazed"):  # parts in another colour: lip, neck, foot
        for low, high in ((0.0, rng.uniform(0.02, 0.25)), (rng.uniform(0.8, 0.98), 1.0)):
            if rng.random() < 0.6:
                _fill(canvas, low, high, (slip, slip, clay, pale)[rng.integers(4)])
    inside = canvas[_TOP, 0].copy() if scheme == "glazed" else slip
    canvas[:_INSIDE] = (inside, inside, inside, clay, clay, pale)[rng.integers(6)]
    for at in rng.integers(0, _INSIDE, int(rng.integers(0, 4))):
        canvas[at : min(at + int(rng.integers(2, 12)), _INSIDE)] = (slip, clay)[rng.integers(2)]
    canvas = _fired(canvas, rng)
    if rng.random() < 0.55:
        _worn(canvas, clay, rng)
    # one colour each: a texture of one row around the vase would show as spokes
    handle = (
        canvas[_TOP + 40, 0].copy() if scheme == "glazed" else (slip, slip, ground, ground, clay, pale)[rng.integers(6)]
    )
    canvas[_INSIDE:_TOP] = handle * rng.uniform(0.8, 1.2)
    canvas[_BOTTOM:] = (clay, clay, slip)[rng.integers(3)]
    if rng.random() < 0.3:
        _plaster(canvas, rng)
    if rng.random() < 0.3:
        _cracks(canvas, rng)
    return Image.fromarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))


def _near(colour: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    shifted = np.array(colour, np.float32) * np.exp(rng.normal(0, 0.12)) + rng.normal(0, 6, 3)
    return np.clip(shifted, 4, 250).astype(np.float32)


def _row(height: float) -> int:
    """Returns the row of a height on the outside: 0 at the foot, 1 at the lip."""
    return int(np.clip(round(_BOTTOM - height * (_BOTTOM - _TOP)), _TOP, _BOTTOM))


def _fill(canvas: np.ndarray, low: float, high: float, colour: np.ndarray) -> None:
    canvas[_row(high) : max(_row(low), _row(high) + 2)] = colour


def _glazed(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Covers with one to three glazes that run into each other, with speckles or without."""
    glazes = np.stack([_glaze(rng) for _ in range(int(rng.integers(1, 4)))])
    edges = np.sort(rng.uniform(_TOP, _BOTTOM, len(glazes) - 1))
    rows = np.arange(HEIGHT_PX)[:, None] + rng.uniform(0, 30) * _noise(rng, 2, int(rng.integers(6, 60)))
    softness = float(np.exp(rng.uniform(0, 4)))
    canvas[:] = glazes[0]
    for edge, glaze in zip(edges, glazes[1:], strict=True):
        share = 1 / (1 + np.exp(-np.clip((rows - edge) / softness, -30, 30)))[..., None]
        canvas[:] = canvas * (1 - share) + glaze * share
    if rng.random() < 0.45:
        spots = _noise(rng, int(rng.integers(60, 200)), int(rng.integers(90, 300))) > rng.uniform(0.6, 2.0)
        canvas[spots] = canvas[spots] * rng.uniform(0.2, 1.0) + _glaze(rng) * rng.uniform(0, 0.6)


def _glaze(rng: np.random.Generator) -> np.ndarray:
    """Returns a colour of glazes: most are blue, green, brown or nearly grey, float32 [3]."""
    hue = rng.choice([rng.uniform(0.03, 0.12), rng.uniform(0.3, 0.7), rng.random()], p=[0.35, 0.45, 0.2])
    tone = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    saturation, value = rng.beta(1.3, 2.0), rng.uniform(0.06, 0.97)
    return (255 * value * (1 - saturation + saturation * tone)).astype(np.float32)


def _stripes(canvas: np.ndarray, colours: tuple[np.ndarray, ...], rng: np.random.Generator, count: int) -> None:
    if rng.random() < 0.15:  # upright, as on fluted or geometric vases
        low, high = sorted(rng.random(2))
        width = int(rng.integers(4, 40))
        columns = (np.arange(WIDTH_PX) // width) % 2 == 0
        canvas[_row(high) : _row(low), columns] = colours[rng.integers(3)]
    for at in rng.random(count):
        _fill(canvas, at, at + float(rng.choice([0.006, 0.012, 0.03, 0.08])), colours[rng.integers(3)])


def _ornament(canvas: np.ndarray, layers: np.ndarray, rng: np.random.Generator) -> None:
    low = float(rng.uniform(0.0, 0.92))
    high = low + float(rng.uniform(0.03, 0.12))
    top, bottom = _row(high), _row(low)
    if bottom - top < 8:
        return
    covered = band(str(rng.choice(HANDS)), bottom - top, WIDTH_PX, float(rng.uniform(10, 60)))
    _fill(canvas, low, high, layers[rng.integers(2)])
    order = layers if rng.random() < 0.6 else layers[[1, 0, 1, 3, 4]]
    _blend(canvas, covered, order, top, 0)


def _figures(canvas: np.ndarray, layers: np.ndarray, rng: np.random.Generator) -> None:
    low = float(rng.uniform(0.05, 0.45))
    high = float(rng.uniform(low + 0.2, min(low + 0.6, 0.98)))
    top, bottom = _row(high), _row(low)
    for k in range(int(rng.integers(2, 7))):
        drawing = silhouette(str(rng.choice(SUBJECTS)))
        drawing = drawing[:, ::-1] if rng.random() < 0.5 else drawing
        height = round((bottom - top) * float(rng.uniform(0.6, 1.0)))
        width = round(height * drawing.shape[1] / drawing.shape[0] * float(rng.uniform(0.6, 1.2)))
        covered = coverage(drawing, height, max(min(width, WIDTH_PX // 2), 4))
        _blend(canvas, covered, layers, bottom - height, round(WIDTH_PX / 2 + (k - 1 + rng.normal(0, 0.2)) * 150))


def _drapery(canvas: np.ndarray, figure: np.ndarray, ground: np.ndarray, rng: np.random.Generator) -> None:
    """Draws blots with fine lines in them, as detailed as the figures of real vases."""
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 14))):
        x, y = rng.uniform(0, WIDTH_PX), rng.uniform(_TOP + 30, _BOTTOM - 60)
        size = rng.uniform(10, 60)
        corners = [
            (x + size * r * np.cos(t), y + 1.4 * size * r * np.sin(t))
            for t, r in zip(np.sort(rng.uniform(0, 6.28, 10)), rng.uniform(0.3, 1, 10), strict=True)
        ]
        pen.polygon(corners, fill=tuple(int(c) for c in figure))
        for _ in range(int(rng.integers(2, 14))):
            start = rng.normal(0, 0.4 * size, 2)
            path = np.cumsum(np.vstack([start, rng.normal(0, 0.25 * size, (4, 2))]), axis=0) + np.array([x, y])
            pen.line([tuple(p) for p in path], fill=tuple(int(c) for c in ground), width=int(rng.integers(1, 3)))
    canvas[:] = np.asarray(image, np.float32)


def _blend(canvas: np.ndarray, covered: np.ndarray, layers: np.ndarray, top: int, left: int) -> None:
    top = int(np.clip(top, _TOP, _BOTTOM - 1))
    covered = covered[: _BOTTOM - top].astype(np.float32) / 255
    columns = np.arange(left, left + covered.shape[1]) % WIDTH_PX
    below = canvas[top : top + len(covered)][:, columns]
    rest = (1 - covered[..., 1:].sum(axis=-1, keepdims=True)).clip(0)
    canvas[top : top + len(covered), columns] = covered[..., 1:] @ layers[1:].astype(np.float32) + below * rest


def _noise(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Returns smooth noise without a seam around the vase, float32 [HEIGHT_PX, WIDTH_PX]."""
    coarse = rng.normal(0, 1, (rows, columns)).astype(np.float32)
    coarse = np.concatenate([coarse, coarse[:, :1]], axis=1)
    return np.asarray(Image.fromarray(coarse).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC))


def _fired(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds uneven firing, traces of the wheel and grain."""
    strength = float(rng.uniform(0.0, 0.12))
    shade = 1 + strength * _noise(rng, 7, 12) + 0.5 * strength * _noise(rng, 30, 50)
    shade += rng.uniform(0, 0.03) * rng.normal(0, 1, (HEIGHT_PX, 1))
    shade += rng.uniform(0, 0.06) * rng.normal(0, 1, (HEIGHT_PX, WIDTH_PX))
    fired = canvas * shade[..., None]
    if rng.random() < 0.35:  # misfired: the slip turns red or brown in places
        where = np.clip(_noise(rng, 4, 6) - rng.uniform(-0.3, 0.8), 0, 1)[..., None]
        fired = fired * (1 - where) + where * (0.6 * fired + np.array([70.0, 30.0, 14.0]) * rng.uniform(0.3, 1.2))
    return fired.astype(np.float32)


def _worn(canvas: np.ndarray, clay: np.ndarray, rng: np.random.Generator) -> None:
    """Rubs the paint off in places and lays pale incrustation over others."""
    field = _noise(rng, 40, 80) + 0.8 * _noise(rng, 8, 14) + 0.5 * rng.normal(0, 1, canvas.shape[:2])
    canvas[field > rng.uniform(1.6, 3.2)] = clay * rng.uniform(0.8, 1.1)
    dust = _noise(rng, 60, 110) + 0.8 * _noise(rng, 5, 9) + 0.6 * rng.normal(0, 1, canvas.shape[:2])
    share = np.clip(dust - rng.uniform(1.2, 3.0), 0, 1)[..., None] * rng.uniform(0.2, 0.9)
    canvas[:] = canvas * (1 - share) + share * np.array([205.0, 192.0, 172.0])


def _plaster(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Fills gaps with plaster, painted in clay, slip, grey or left pale."""
    tones = ((226, 218, 206), (120, 118, 112), (70, 72, 66), (40, 38, 36), (190, 140, 100), (150, 150, 148))
    tone = np.array(tones[rng.integers(len(tones))], np.float32)
    field = _noise(rng, int(rng.integers(3, 9)), int(rng.integers(4, 14))) + 0.1 * _noise(rng, 40, 80)
    canvas[field > rng.uniform(0.5, 1.8)] = tone


def _cracks(canvas: np.ndarray, rng: np.random.Generator) -> None:
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    tone = tuple(int(c) for c in rng.uniform(0, 220, 3))
    for _ in range(int(rng.integers(2, 14))):
        path = np.cumsum(np.vstack([rng.uniform(0, 1, 2) * (WIDTH_PX, HEIGHT_PX), rng.normal(0, 26, (9, 2))]), axis=0)
        pen.line([tuple(p) for p in path], fill=tone, width=int(rng.integers(1, 3)))
    canvas[:] = np.asarray(image, np.float32)
