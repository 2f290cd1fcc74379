"""Paints a vase's texture from its traits: clay, slip, bands, figures, and traces of firing and wear.

The texture's horizontal axis runs once around the vase, with the front in the middle. Its vertical axis runs along the
outside of the wall from foot to lip, so figures keep their proportions on every shape. A margin of
one colour at the bottom edge is used for the underside of the vase, and a margin at the top edge is used for the inside
and the handles.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from vaserl.synthetic.figures import silhouette
from vaserl.synthetic.ornament import band
from vaserl.synthetic.pen import coverage
from vaserl.synthetic.vase import VaseTraits, shape_of

WIDTH, HEIGHT = 768, 384
MARGIN = 10
"""Height in pixels of the margin at the top edge and of the margin at the bottom edge."""
_WIDEST = 0.36
"""Largest share of the circumference that one figure may cover. No view would show the whole of a wider figure."""

Colour = tuple[int, int, int]

CLAY: dict[str, Colour] = {
    "ATHENIAN": (204, 102, 48),
    "CORINTHIAN": (230, 212, 156),
    "BOEOTIAN": (158, 124, 98),
    "EUBOEAN": (146, 48, 34),
}
"""RGB colour of the fired clay of each fabric (region of production): orange, buff, dull brown, dark red."""
SLIP: dict[str, Colour] = {
    "ATHENIAN": (28, 24, 24),
    "CORINTHIAN": (58, 40, 30),
    "BOEOTIAN": (40, 33, 32),
    "EUBOEAN": (24, 20, 22),
}
"""RGB colour of the fired slip (the dark coating) of each fabric."""
WHITE_GROUND: Colour = (242, 236, 222)
ADDED_WHITE: Colour = (240, 230, 206)
ADDED_RED: Colour = (150, 28, 46)


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """RGB colours of one vase."""

    clay: Colour
    slip: Colour
    ground: Colour
    """Colour behind the figures."""
    layers: tuple[Colour, Colour, Colour, Colour, Colour]
    """Colours of the five paint layers: ground, silhouette, incision, added red, added white."""


def palette_of(traits: VaseTraits, rng: np.random.Generator) -> Palette:
    """Returns the colours of the vase.

    Clay and slip have the colours of the vase's fabric with a small random deviation. The technique determines the
    colours of the ground and of the figures.
    """
    clay = _shifted(CLAY[traits.facts.fabric], rng, 5.0)
    slip = _shifted(SLIP[traits.facts.fabric], rng, 3.0)
    if traits.facts.technique == "BLACK-FIGURE":
        return Palette(clay=clay, slip=slip, ground=clay, layers=(clay, slip, clay, ADDED_RED, ADDED_WHITE))
    if traits.facts.technique == "RED-FIGURE":
        return Palette(clay=clay, slip=slip, ground=slip, layers=(slip, clay, slip, ADDED_RED, ADDED_WHITE))
    brown, matt_red, ochre = (112, 66, 40), (176, 62, 48), (212, 168, 96)
    return Palette(
        clay=clay, slip=slip, ground=WHITE_GROUND, layers=(WHITE_GROUND, brown, WHITE_GROUND, matt_red, ochre)
    )


def paint_vase(traits: VaseTraits) -> Image.Image:
    """Returns the vase's texture, an RGB image of WIDTH x HEIGHT pixels. Row 0 is at the lip."""
    rng = np.random.default_rng(traits.paint_seed)
    palette = palette_of(traits, rng)
    canvas = _Canvas(traits, palette)
    shape = shape_of(traits.facts)
    upper, lower = shape.ornaments[0], shape.ornaments[-1]
    black_figure = traits.facts.technique == "BLACK-FIGURE"
    canvas.fill(0.0, 1.0, palette.clay if traits.facts.technique != "RED-FIGURE" else palette.slip)
    canvas.fill(0.0, lower[0], palette.slip)
    canvas.fill(upper[1] if upper[1] < 0.97 else 0.985, 1.0, palette.slip)
    canvas.fill(lower[0], upper[1] if upper[0] - shape.frieze[1] < 0.05 else shape.frieze[1] + 0.02, palette.ground)
    canvas.fill(0.015, 0.032, palette.clay)  # the edge of the foot is unpainted on all vases
    for low, high in shape.ornaments:
        canvas.fill(low, high, palette.ground)
        canvas.ornament(low, high)
        for edge in (low, high):
            canvas.fill(edge - 0.007, edge + 0.007, palette.slip if black_figure else palette.clay)
    canvas.fill(shape.frieze[0] - 0.018, shape.frieze[0] - 0.004, palette.layers[1])
    canvas.figures(*shape.frieze)
    if traits.facts.fabric == "CORINTHIAN":
        canvas.rosettes(*shape.frieze)
    pixels = _weathered(canvas.pixels, palette, rng)
    pixels[:MARGIN] = palette.slip
    pixels[-MARGIN:] = palette.clay
    return Image.fromarray(pixels)


class _Canvas:
    """The texture of a vase while it is painted. Its methods use heights from 0 at the foot to 1 at the lip."""

    def __init__(self, traits: VaseTraits, palette: Palette) -> None:
        self.pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self._traits = traits
        self._layers = np.array(palette.layers, np.float32)
        outside = shape_of(traits.facts).outside()
        self._radii, self._heights = outside[:, 0], outside[:, 1]
        scaled = outside * [1.0, traits.slimness]
        self._along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(scaled, axis=0).T))])
        self._num_figures = 0

    def row(self, height: float) -> int:
        """Returns the row of the texture for this height on the outside of the vase."""
        share = np.interp(height, self._heights, self._along) / self._along[-1]
        return round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN))

    def fill(self, low: float, high: float, colour: Colour) -> None:
        self.pixels[self.row(high) : max(self.row(low), self.row(high) + 1)] = colour

    def ornament(self, low: float, high: float) -> None:
        top, bottom = self.row(high - 0.008), self.row(low + 0.008)
        covered = band(self._traits.facts.attribution, bottom - top, WIDTH, self._around(low, high))
        self._lay(covered, top, 0)

    def figures(self, low: float, high: float) -> None:
        """Paints the figure at the front and repeats it around the vase, on a frieze from height `low` to `high`."""
        drawing = silhouette(self._traits.facts.decoration)
        drawing = drawing[:, ::-1] if self._traits.mirrored else drawing
        aspect = drawing.shape[1] / drawing.shape[0]
        share = aspect / self._around(low, high)
        size = min(1.0, _WIDEST / share)
        bottom = self.row(low)
        height, width = round(size * (bottom - self.row(high))), round(size * share * WIDTH)
        self._num_figures = max(2, int(1 / (1.1 * size * share)))
        figure = coverage(drawing, height, width)
        for k in range(self._num_figures):
            self._lay(figure, bottom - height, round(WIDTH / 2 + k * WIDTH / self._num_figures - width / 2))

    def rosettes(self, low: float, high: float) -> None:
        """Paints dotted rosettes between the figures of a frieze from height `low` to `high`."""
        top, height = self.row(high), self.row(low) - self.row(high)
        size = max(6, round(0.2 * height))
        width = max(5, round(0.2 * WIDTH / self._around(low, high)))
        yy, xx = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : width * 1j]
        radius, angle = np.hypot(xx, yy), np.arctan2(yy, xx)
        petals = np.clip((0.72 + 0.28 * np.cos(6 * angle) - radius) * 6, 0, 1)
        heart = np.clip((0.3 - radius) * 6, 0, 1)
        covered = np.stack([1 - petals, petals * (1 - heart), 0 * petals, petals * heart, 0 * petals], axis=-1) * 255
        for k in range(self._num_figures):
            x = round(WIDTH / 2 + (k + 0.5) * WIDTH / self._num_figures - covered.shape[1] / 2)
            for share in (0.04, 0.76):
                self._lay(covered, top + round(share * height), x)

    def _lay(self, covered: np.ndarray, top: int, left: int) -> None:
        """Blends the colours of the paint layers over the texture, from row `top` and column `left`.

        covered: how far each layer covers each pixel, 0 to 255, [height, width, 5]. Columns beyond the right edge of
        the texture continue at its left edge.
        """
        columns = np.arange(left, left + covered.shape[1]) % WIDTH
        below = self.pixels[top : top + covered.shape[0], columns].astype(np.float32)
        share = covered.astype(np.float32) / 255
        painted = share[..., 1:] @ self._layers[1:] + below * (1 - share[..., 1:].sum(axis=-1, keepdims=True)).clip(0)
        self.pixels[top : top + covered.shape[0], columns] = np.round(painted.clip(0, 255)).astype(np.uint8)

    def _along_between(self, low: float, high: float) -> float:
        return float(np.diff(np.interp([low, high], self._heights, self._along))[0])

    def _around(self, low: float, high: float) -> float:
        """Returns the circumference of the band between two heights, divided by the band's height along the wall."""
        inside = (self._heights >= low) & (self._heights <= high)
        radius = self._radii[inside].mean() if inside.any() else np.interp((low + high) / 2, self._heights, self._radii)
        return float(2 * np.pi * radius / self._along_between(low, high))


def _shifted(colour: Colour, rng: np.random.Generator, spread: float) -> Colour:
    red, green, blue = np.clip(np.array(colour) + rng.normal(0, spread) + rng.normal(0, spread / 3, 3), 0, 255).astype(
        int
    )
    return int(red), int(green), int(blue)


def _weathered(pixels: np.ndarray, palette: Palette, rng: np.random.Generator) -> np.ndarray:
    """Adds uneven firing, traces of the potter's wheel, grain and a few chips to the pixels of the texture."""
    coarse = rng.normal(0, 1, (7, 13)).astype(np.float32)
    coarse = np.concatenate([coarse, coarse[:, :1]], axis=1)
    firing = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    wheel = rng.normal(0, 1, (HEIGHT, 1)).astype(np.float32)
    grain = rng.normal(0, 1, (HEIGHT // 2, WIDTH // 2)).astype(np.float32).repeat(2, axis=0).repeat(2, axis=1)
    shade = 1 + 0.030 * firing + 0.012 * wheel + 0.022 * grain
    aged = pixels * shade[..., None] + np.maximum(firing - 1.0, 0)[..., None] * np.array([16, 6, 2], np.float32)
    for _ in range(int(rng.integers(0, 5))):
        x, y, size = int(rng.integers(WIDTH)), int(rng.integers(MARGIN, HEIGHT - MARGIN)), rng.uniform(2, 6)
        rows, columns = np.arange(max(0, y - 8), min(HEIGHT, y + 8)), np.arange(x - 8, x + 8)
        away = np.hypot((rows - y)[:, None], (columns - x)[None]) + rng.normal(0, 0.8, (len(rows), len(columns)))
        patch = aged[rows[:, None], columns[None] % WIDTH]
        aged[rows[:, None], columns[None] % WIDTH] = np.where(
            (away < size)[..., None], np.array(palette.clay) * 0.9, patch
        )
    return np.round(aged.clip(0, 255)).astype(np.uint8)
