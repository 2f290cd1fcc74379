"""The twelve shapes of vases, with all lengths in units of the vase's height. `profile.Shape` explains the fields."""

import numpy as np

from vaserl.synthetic.profile import Handle, Polyline, Shape


def _upright(azimuth_deg: float, *points: tuple[float, float], thickness: float = 0.026) -> Handle:
    return Handle(azimuth_deg=azimuth_deg, path=tuple((r, 0.0, z) for r, z in points), thickness=thickness)


def _pair(*points: tuple[float, float], thickness: float = 0.026) -> tuple[Handle, Handle]:
    return _upright(90.0, *points, thickness=thickness), _upright(270.0, *points, thickness=thickness)


def _loops(
    radius: float, height: float, out: float, rise: float, half: float, thickness: float = 0.026
) -> tuple[Handle, Handle]:
    """Returns two loop handles, left and right of the vase. The middle of a handle is `rise` above its ends."""
    arc = np.linspace(-1.0, 1.0, 9)
    path = tuple(
        (float(radius + out * (1 - a**4) ** 0.5), float(half * a), float(height + rise * (1 - a**4) ** 0.5))
        for a in arc
    )
    return tuple(Handle(azimuth_deg=azimuth, path=path, thickness=thickness) for azimuth in (90.0, 270.0))  # type: ignore[return-value]


def _foot(radius: float, height: float, stem: float) -> tuple[Polyline, ...]:
    """Returns the foot's part of a profile: a disc with a rounded edge, then a ledge inwards to radius `stem`."""
    return (
        ((radius * 0.96, 0.0), (radius, height * 0.4), (radius * 0.97, height)),
        ((radius * 0.97, height), (stem, height * 1.12)),
    )


SHAPES: tuple[Shape, ...] = (
    Shape(
        name="AMPHORA, NECK",
        runs=(
            *_foot(0.155, 0.05, 0.10),
            ((0.10, 0.056), (0.205, 0.2), (0.30, 0.4), (0.33, 0.56), (0.29, 0.67), (0.205, 0.735), (0.155, 0.75)),
            ((0.155, 0.75), (0.138, 0.82), (0.14, 0.89), (0.155, 0.93)),
            ((0.155, 0.93), (0.195, 0.95), (0.215, 0.985), (0.205, 1.0)),
        ),
        handles=_pair((0.12, 0.895), (0.22, 0.92), (0.30, 0.87), (0.305, 0.77), (0.25, 0.68)),
        floor=0.1,
        frieze=(0.335, 0.655),
        ornaments=((0.765, 0.92), (0.19, 0.315)),
    ),
    Shape(
        name="LEKYTHOS",
        runs=(
            *_foot(0.13, 0.05, 0.06),
            ((0.06, 0.056), (0.11, 0.085), (0.165, 0.18), (0.19, 0.36), (0.20, 0.56), (0.20, 0.66)),
            ((0.20, 0.66), (0.165, 0.71), (0.085, 0.745), (0.052, 0.77)),
            ((0.052, 0.77), (0.048, 0.85), (0.058, 0.885)),
            ((0.058, 0.885), (0.085, 0.905), (0.105, 0.96), (0.115, 1.0)),
        ),
        handles=(_upright(180.0, (0.04, 0.87), (0.12, 0.885), (0.15, 0.83), (0.145, 0.70), thickness=0.02),),
        floor=0.12,
        frieze=(0.275, 0.535),
        ornaments=((0.55, 0.655), (0.15, 0.255)),
    ),
    Shape(
        name="KYLIX",
        runs=(
            *_foot(0.32, 0.06, 0.26),
            ((0.26, 0.067), (0.13, 0.1), (0.085, 0.15), (0.085, 0.2), (0.13, 0.24)),
            ((0.13, 0.24), (0.39, 0.31), (0.57, 0.46), (0.655, 0.66), (0.68, 0.84), (0.69, 1.0)),
        ),
        handles=_loops(0.63, 0.76, 0.24, 0.10, 0.18, thickness=0.034),
        floor=0.28,
        frieze=(0.41, 0.79),
        ornaments=((0.81, 0.985), (0.295, 0.395)),
    ),
    Shape(
        name="HYDRIA",
        runs=(
            *_foot(0.16, 0.05, 0.10),
            ((0.10, 0.056), (0.20, 0.17), (0.31, 0.38), (0.36, 0.56), (0.35, 0.65)),
            ((0.35, 0.65), (0.30, 0.70), (0.19, 0.745), (0.125, 0.77)),
            ((0.125, 0.77), (0.11, 0.86), (0.125, 0.93)),
            ((0.125, 0.93), (0.185, 0.955), (0.20, 0.98), (0.19, 1.0)),
        ),
        handles=(
            *_loops(0.31, 0.53, 0.13, 0.09, 0.11),
            _upright(180.0, (0.14, 0.955), (0.24, 0.98), (0.30, 0.88), (0.26, 0.68)),
        ),
        floor=0.1,
        frieze=(0.305, 0.625),
        ornaments=((0.66, 0.742), (0.165, 0.285)),
    ),
    Shape(
        name="KRATER, COLUMN",
        runs=(
            *_foot(0.24, 0.06, 0.16),
            ((0.16, 0.067), (0.21, 0.12), (0.34, 0.26), (0.43, 0.44), (0.45, 0.56), (0.39, 0.69), (0.30, 0.75)),
            ((0.30, 0.75), (0.29, 0.84), (0.305, 0.93)),
            ((0.305, 0.93), (0.43, 0.935)),
            ((0.43, 0.935), (0.445, 0.965), (0.435, 1.0)),
        ),
        handles=tuple(
            Handle(
                azimuth_deg=azimuth, path=((0.42, side, 0.6), (0.46, side, 0.76), (0.46, side, 0.965)), thickness=0.04
            )
            for azimuth in (90.0, 270.0)
            for side in (-0.075, 0.075)
        )
        + tuple(
            Handle(
                azimuth_deg=azimuth,
                path=((0.46, -0.11, 0.965), (0.47, 0.0, 0.965), (0.46, 0.11, 0.965)),
                thickness=0.045,
            )
            for azimuth in (90.0, 270.0)
        ),
        floor=0.12,
        frieze=(0.325, 0.67),
        ornaments=((0.765, 0.925), (0.18, 0.305)),
    ),
    Shape(
        name="KRATER, VOLUTE",
        runs=(
            *_foot(0.20, 0.07, 0.12),
            ((0.12, 0.078), (0.13, 0.1), (0.255, 0.24), (0.345, 0.42), (0.365, 0.54), (0.32, 0.645), (0.235, 0.69)),
            ((0.235, 0.69), (0.235, 0.8), (0.265, 0.91)),
            ((0.265, 0.91), (0.30, 0.925), (0.325, 0.965), (0.325, 1.0)),
        ),
        handles=_pair(
            (0.30, 0.63),
            (0.40, 0.68),
            (0.41, 0.86),
            (0.40, 1.02),
            (0.34, 1.12),
            (0.26, 1.09),
            (0.255, 1.0),
            (0.32, 0.98),
            (0.345, 1.04),
            thickness=0.032,
        ),
        floor=0.14,
        frieze=(0.31, 0.635),
        ornaments=((0.71, 0.895), (0.18, 0.29)),
    ),
    Shape(
        name="SKYPHOS",
        runs=(
            *_foot(0.32, 0.05, 0.30),
            ((0.30, 0.056), (0.39, 0.2), (0.465, 0.42), (0.51, 0.68), (0.52, 0.86), (0.525, 1.0)),
        ),
        handles=_loops(0.47, 0.82, 0.19, 0.02, 0.15, thickness=0.035),
        floor=0.09,
        frieze=(0.315, 0.755),
        ornaments=((0.78, 0.975), (0.09, 0.29)),
    ),
    Shape(
        name="OINOCHOE",
        runs=(
            *_foot(0.20, 0.04, 0.16),
            ((0.16, 0.045), (0.27, 0.18), (0.33, 0.36), (0.31, 0.52), (0.21, 0.67), (0.13, 0.74)),
            ((0.13, 0.74), (0.12, 0.82), (0.16, 0.92), (0.19, 1.0)),
        ),
        handles=(_upright(90.0, (0.15, 0.95), (0.20, 1.08), (0.32, 1.07), (0.38, 0.86), (0.35, 0.62), (0.27, 0.53)),),
        floor=0.08,
        frieze=(0.235, 0.525),
        ornaments=((0.545, 0.665), (0.07, 0.215)),
        trefoil=0.3,
    ),
    Shape(
        name="PELIKE",
        runs=(
            *_foot(0.235, 0.045, 0.20),
            (
                (0.20, 0.05),
                (0.31, 0.16),
                (0.365, 0.31),
                (0.335, 0.48),
                (0.25, 0.65),
                (0.18, 0.78),
                (0.165, 0.86),
                (0.20, 0.945),
            ),
            ((0.20, 0.945), (0.245, 0.955), (0.255, 0.98), (0.245, 1.0)),
        ),
        handles=_pair((0.14, 0.87), (0.25, 0.90), (0.315, 0.81), (0.305, 0.66), (0.22, 0.60)),
        floor=0.09,
        frieze=(0.235, 0.555),
        ornaments=((0.58, 0.72), (0.08, 0.215)),
    ),
    Shape(
        name="KRATER, BELL",
        runs=(
            *_foot(0.25, 0.05, 0.12),
            (
                (0.12, 0.056),
                (0.12, 0.11),
                (0.24, 0.17),
                (0.345, 0.29),
                (0.385, 0.46),
                (0.40, 0.7),
                (0.43, 0.86),
                (0.50, 0.965),
            ),
            ((0.50, 0.965), (0.515, 0.98), (0.505, 1.0)),
        ),
        handles=_loops(0.35, 0.52, 0.12, 0.11, 0.11, thickness=0.032),
        floor=0.16,
        frieze=(0.345, 0.69),
        ornaments=((0.715, 0.88), (0.185, 0.325)),
    ),
    Shape(
        name="AMPHORA, BELLY",
        runs=(
            *_foot(0.18, 0.055, 0.13),
            (
                (0.13, 0.062),
                (0.23, 0.17),
                (0.325, 0.36),
                (0.35, 0.52),
                (0.30, 0.68),
                (0.205, 0.80),
                (0.165, 0.87),
                (0.18, 0.93),
            ),
            ((0.18, 0.93), (0.21, 0.945), (0.225, 1.0)),
        ),
        handles=_pair((0.14, 0.88), (0.25, 0.90), (0.325, 0.84), (0.345, 0.72), (0.27, 0.66)),
        floor=0.11,
        frieze=(0.32, 0.645),
        ornaments=((0.665, 0.79), (0.185, 0.30)),
    ),
    Shape(
        name="ARYBALLOS",
        runs=(
            *_foot(0.17, 0.03, 0.16),
            ((0.16, 0.034), (0.34, 0.12), (0.45, 0.34), (0.415, 0.55), (0.26, 0.71), (0.125, 0.765)),
            ((0.125, 0.765), (0.115, 0.84)),
            ((0.115, 0.84), (0.31, 0.885)),
            ((0.31, 0.885), (0.325, 0.94), (0.30, 1.0)),
        ),
        handles=(_upright(180.0, (0.28, 0.93), (0.36, 0.88), (0.36, 0.74), (0.29, 0.66), thickness=0.05),),
        floor=0.07,
        frieze=(0.215, 0.53),
        ornaments=((0.55, 0.675), (0.055, 0.195)),
    ),
)
"""All shapes of vases, most frequent first; `vase.sample_traits` derives their probabilities from this order."""
