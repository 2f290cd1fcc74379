"""Tests of `decode_photograph` on one small file of each kind that is handed over as a photograph.

Each file is read twice, as bytes and from a folder, with equal bytes, notes and reasons.
"""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.fakes.hostile_pictures import png_claiming, png_torn_in_its_pixels
from tests.fakes.picture_files import adobe_from_srgb, alpha, grey, picture, png8, png16, saved, tiff
from vaserl.files.colour_profile import ADOBE_RGB, matrix_profile
from vaserl.files.photograph import UnreadablePhotograph, decode_photograph

RGB, GREY = Image.fromarray(picture()), Image.fromarray(grey())
RGBA = Image.fromarray(np.dstack([picture(), alpha()]))
DEEP = grey().astype(np.uint16) * 257
ON_WHITE = np.where(alpha()[..., None] > 0, picture(), 255)
ADOBE = matrix_profile(*ADOBE_RGB)
TURNED = RGB.transpose(Image.Transpose.ROTATE_90)
JPEG = saved(RGB, "JPEG", quality=95, subsampling=0)


def turned(kind: str, **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(TURNED, kind, exif=exif, **options)


def palette_with_a_transparent_entry() -> bytes:
    image = RGB.quantize(32)
    colours = list(image.getpalette() or ())
    number = len(colours) // 3
    transparent = Image.fromarray(np.where(alpha() == 0, number, np.asarray(image)).astype(np.uint8))
    transparent.putpalette([*colours, 255, 0, 255])
    return saved(transparent, "PNG", transparency=number)


def without_app14(content: bytes) -> bytes:
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4], "big") :]


def lab() -> bytes:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return saved(ImageCms.profileToProfile(RGB, *profiles, outputMode="LAB"), "TIFF")


def adobe_by_exif() -> bytes:
    """A JPEG as cameras write it: no profile, an uncalibrated colour space and the sign R03 of DCF."""
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03", 2: b"0100"}}
    return saved(Image.fromarray(adobe_from_srgb(picture())), "JPEG", quality=95, subsampling=0, exif=exif)


def linear(pixels: np.ndarray) -> np.ndarray:
    """Returns the same colours as amounts of light, of which a PNG with gamma 1 consists: uint8."""
    value = pixels / 255
    return np.round(255 * np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)).astype(np.uint8)


def gamma(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def pages(*sizes: tuple[int, int]) -> bytes:
    first, *others = [RGB.resize(size) for size in sizes]
    return saved(first, "TIFF", save_all=True, append_images=others)


def in_colour(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


READ: dict[str, tuple[Callable[[], bytes], np.ndarray, float, str]] = {
    # name: file, expected pixels, largest mean difference, words of a note
    "jpeg": (lambda: JPEG, picture(), 3, ""),
    "jpeg_with_a_tail": (lambda: JPEG + b"<!-- tail -->", picture(), 3, ""),
    "exif_jpeg": (lambda: turned("JPEG", quality=95, subsampling=0), picture(), 3, ""),
    "exif_png": (lambda: turned("PNG"), picture(), 0, ""),
    "exif_webp": (lambda: turned("WEBP", lossless=True), picture(), 0, ""),
    "exif_tiff": (lambda: turned("TIFF"), picture(), 0, ""),
    "exif_is_damaged": (lambda: saved(RGB, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), picture(), 0, ""),
    "grey16_png": (lambda: png16(DEEP), in_colour(grey()), 0, ""),
    "grey16_tiff": (lambda: tiff((DEEP, {})), in_colour(grey()), 0, ""),
    "grey16_big_endian": (
        lambda: saved(Image.frombytes("I;16B", GREY.size, DEEP.astype(">u2").tobytes()), "TIFF"),
        in_colour(grey()),
        0,
        "",
    ),
    "grey16_white_is_zero": (lambda: tiff((65_535 - DEEP, {262: 0})), in_colour(grey()), 0, ""),
    "grey12_in_16": (lambda: png16(np.r_[DEEP, DEEP[:1] | 0xFFFF] // 16), None, 0.6, "12 bits: white is 4,095"),
    "grey8_in_16": (lambda: png16(np.r_[DEEP, DEEP[:1] | 0xFFFF] // 257), None, 0, "8 bits: white is 255"),
    "grey16_with_a_clear_value": (
        *(lambda: png16(np.where(alpha() > 0, DEEP, 4321), (b"tRNS", struct.pack(">H", 4321))), None, 0.6, ""),
    ),
    "grey32": (lambda: tiff((DEEP.astype(np.uint32) * 65_537, {})), None, 1, "of which the largest"),
    "floats_to_1": (lambda: tiff((grey().astype(np.float32) / 255, {})), in_colour(grey()), 0, "1 is white"),
    "floats_to_255": (lambda: tiff((grey().astype(np.float32), {})), in_colour(grey()), 0, "255 is white"),
    "floats_to_65535": (lambda: tiff((DEEP.astype(np.float32), {})), in_colour(grey()), 0, "65,535 is white"),
    "floats_with_gaps": (
        *(lambda: tiff((np.where(DEEP < 9000, np.nan, grey()).astype(np.float32) / 255, {})), None, 0, "1 is white"),
    ),
    "rgb16": (lambda: png16(picture().astype(np.uint16) * 257), picture(), 0, ""),
    "rgb16_tiff": (lambda: tiff((picture().astype(np.uint16) * 257, {})), picture(), 0, ""),
    "rgb16_with_a_clear_colour": (
        lambda: png16(
            np.where(alpha()[..., None] > 0, picture(), (1, 2, 3)).astype(np.uint16) * 257,
            (b"tRNS", struct.pack(">3H", 257, 2 * 257, 3 * 257)),
        ),
        ON_WHITE,
        0,
        "",
    ),
    "rgba16": (lambda: png16(np.asarray(RGBA).astype(np.uint16) * 257), ON_WHITE, 0, ""),
    "la16": (lambda: png16(np.dstack([grey(), alpha()]).astype(np.uint16) * 257), None, 0, ""),
    "bilevel": (
        *(lambda: saved(GREY.point(lambda v: 255 * (v > 99)).convert("1"), "TIFF", compression="group4"), None, 0, ""),
    ),
    "cmyk_jpeg": (lambda: saved(RGB.convert("CMYK"), "JPEG", quality=95, subsampling=0), picture(), 3, "CMYK without"),
    "cmyk_jpeg_without_app14": (
        *(lambda: without_app14(saved(RGB.convert("CMYK"), "JPEG", quality=95)), picture(), 4, "CMYK without"),
    ),
    "cmyk_tiff": (lambda: saved(RGB.convert("CMYK"), "TIFF"), picture(), 1, "CMYK without"),
    "lab_tiff": (lab, picture(), 1.5, ""),
    "adobe_rgb": (
        *(lambda: saved(Image.fromarray(adobe_from_srgb(picture())), "PNG", icc_profile=ADOBE), picture(), 0.8, ""),
    ),
    "adobe_rgb_by_exif": (adobe_by_exif, picture(), 3.5, ""),
    "adobe_rgb_with_alpha": (
        lambda: saved(
            Image.fromarray(np.dstack([adobe_from_srgb(picture()), alpha()])), "WEBP", lossless=True, icc_profile=ADOBE
        ),
        ON_WHITE,
        0.8,
        "",
    ),
    "grey_with_a_profile_of_colours": (
        *(lambda: saved(GREY, "PNG", icc_profile=matrix_profile(*ADOBE_RGB[:2], 1.0)), None, 40, ""),
    ),
    "profile_is_damaged": (lambda: saved(RGB, "PNG", icc_profile=ADOBE[:90]), picture(), 0, "profile is damaged"),
    "profile_of_cmyk": (
        *(lambda: saved(RGB, "PNG", icc_profile=ADOBE[:16] + b"CMYK" + ADOBE[20:]), picture(), 0, "of another kind"),
    ),
    "png_of_light": (lambda: png8(linear(picture()), gamma(1.0)), picture(), 1.5, ""),
    "png_states_the_gamma_of_srgb": (lambda: png8(picture(), gamma(0.45455)), picture(), 0, ""),
    "png_states_srgb": (lambda: png8(picture(), gamma(1.0), (b"sRGB", b"\0")), picture(), 0, ""),
    "palette_with_a_transparent_entry": (palette_with_a_transparent_entry, ON_WHITE, 3, ""),
    "rgba": (lambda: saved(RGBA, "PNG"), ON_WHITE, 0, ""),
    "rgba_webp": (lambda: saved(RGBA, "WEBP", lossless=True), ON_WHITE, 0, ""),
    "rgba_opaque": (lambda: saved(RGB.convert("RGBA"), "PNG"), picture(), 0, ""),
    "several_in_one_jpeg": (
        lambda: saved(RGB, "MPO", save_all=True, append_images=[RGB.resize((8, 12))], quality=95, subsampling=0),
        picture(),
        3,
        "",
    ),
    "thumbnail_first": (lambda: pages((4, 6), (40, 60)), picture(), 0, "page 2 of 2"),
    "equal_pages": (lambda: pages((40, 60), (40, 60), (4, 6)), picture(), 0, "page 1 of 3"),
    "mask_is_larger": (
        lambda: tiff((picture(), {}), (np.full((90, 90), 255, np.uint8), {254: 4})),
        picture(),
        0,
        "",
    ),
    "one_column": (lambda: saved(RGB.crop((5, 0, 6, 60)), "PNG"), picture()[:, 5:6], 0, ""),
}

EXPECTED = {
    "grey12_in_16": in_colour(np.r_[grey(), np.full((1, 40), 255, np.uint8)]),
    "grey8_in_16": in_colour(np.r_[grey(), np.full((1, 40), 255, np.uint8)]),
    "grey16_with_a_clear_value": in_colour(np.where(alpha() > 0, grey(), 255)),
    "grey32": in_colour(grey() * (255 / grey().max())),
    "floats_with_gaps": in_colour(np.where(DEEP < 9000, 0, grey())),
    "la16": in_colour(np.where(alpha() > 0, grey(), 255)),
    "bilevel": in_colour(255 * (grey() > 99)),
    # twice the light of mid grey is not twice the value: a linear 128 is 188 in sRGB
    "grey_with_a_profile_of_colours": in_colour(np.round(np.interp(grey(), [0, 64, 128, 255], [0, 137, 188, 255]))),
}


def read_twice(content: bytes, folder: Path):
    """Returns what reading the file gives, after checking that bytes and a path give the same."""
    (folder / "picture").write_bytes(content)
    found = []
    for source in (content, folder / "picture"):
        try:
            decoded = decode_photograph(source)
            found.append((decoded.image.mode, decoded.image.size, decoded.image.tobytes(), decoded.notes))
        except UnreadablePhotograph as error:
            found.append(str(error))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("name", READ)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_pictures_are_read_as_a_person_sees_them(name: str, tmp_path: Path):
    make, pixels, tolerance, words = READ[name]
    found = read_twice(make(), tmp_path)
    assert not isinstance(found, str), found
    mode, (width, height), content, notes = found
    expected = np.asarray(EXPECTED[name] if pixels is None else pixels, float)
    assert mode == "RGB" and (height, width) == expected.shape[:2]
    difference = np.abs(np.frombuffer(content, np.uint8).reshape(expected.shape) - expected)
    assert difference.mean() <= tolerance, difference.mean()
    assert words in " ".join(notes) and bool(words) == bool(notes), notes


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "gif": (lambda: saved(RGB, "GIF"), "a GIF file, which is not read; save it as JPEG, PNG, WebP or TIFF"),
    "bmp": (lambda: saved(RGB, "BMP"), "a BMP file, which is not read"),
    "jpeg2000": (lambda: saved(RGB, "JPEG2000"), "a JPEG 2000 file, which is not read"),
    "avif": (lambda: b"\0\0\0\x1cftypavif\0\0\0\0", "an AVIF file, which is not read"),
    "heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC file, which is not read"),
    "film": (lambda: b"\0\0\0\x18ftypisom\0\0\0\0", "the file is a video"),
    "psd": (lambda: b"8BPS\0\x01" + bytes(40), "a Photoshop file, which is not read"),
    "pdf": (lambda: b"%PDF-1.4\n", "a PDF file, which is not read"),
    "svg": (lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG file, which is not"),
    "canon_raw": (lambda: b"II*\0\x10\0\0\0CR\x02\0" + bytes(40), "a camera raw file, which is not read"),
    "dng": (lambda: tiff((picture(), {50_706: 1})), "a camera raw file, which is not read"),
    "preview_of_a_raw": (lambda: tiff((picture(), {254: 1, 330: 8})), "a camera raw file, which is not read"),
    "html": (lambda: b"\n<!DOCTYPE html><html><body>403 Forbidden</body></html>", "the file is an HTML page"),
    "lfs": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "run git lfs pull"),
    "empty": (lambda: b"", "the file is empty"),
    "zeros": (lambda: bytes(5000), "begins with zeros"),
    "text": (lambda: b"not a picture", "not an image in one of the formats JPEG, PNG, WebP, TIFF"),
    "animated_webp": (
        lambda: saved(Image.new("RGB", RGB.size, "white"), "WEBP", save_all=True, append_images=[RGB], duration=100),
        "an animation, not a photograph",
    ),
    "animated_png": (
        *(lambda: saved(RGB, "PNG", save_all=True, append_images=[TURNED.resize(RGB.size)]), "an animation, not"),
    ),
    "jpeg_cut_at_a_third": (lambda: JPEG[: len(JPEG) // 3], "can't be decoded: the file is incomplete"),
    "jpeg_without_its_last_bytes": (lambda: JPEG[:-12], "can't be decoded: the file is incomplete"),
    "jpeg_half_zeros": (
        *(lambda: JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2), "can't be decoded: the file is incomplete"),
    ),
    "progressive_jpeg_cut": (
        *(lambda: saved(RGB, "JPEG", progressive=True)[:900], "can't be decoded: the file is incomplete"),
    ),
    "png_with_a_broken_chunk": (
        *(lambda: saved(RGB, "PNG").replace(b"IDAT", b"\0\1\2\3", 1), "can't be decoded: a damaged PNG file"),
    ),
    "png_torn_in_its_pixels": (png_torn_in_its_pixels, "can't be decoded: the file is damaged"),
    "png_larger_than_the_limit": (
        *(
            lambda: png_claiming(12_000, 9_000),
            "12000 x 9000 pixels; at most 50,000,000 are read; raise source.max_pix",
        ),
    ),
    "png_larger_than_pillows_limit": (lambda: png_claiming(20_000, 20_000), "20000 x 20000 pixels; at most"),
    "rgb_of_12_bits_in_16": (lambda: png16(picture().astype(np.uint16) * 16), "16 bits a channel, of which the upper"),
    "all_transparent": (lambda: saved(Image.new("RGBA", (8, 8), (200, 0, 0, 0)), "PNG"), "every pixel is transparent"),
    "floats_in_colour": (lambda: tiff((picture().astype(np.float32), {})), "can't be decoded: a damaged TIFF file, or"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pictures_that_are_not_read_have_a_reason_that_names_them(name: str, tmp_path: Path):
    make, words = REFUSED[name]
    found = read_twice(make(), tmp_path)
    assert isinstance(found, str) and words in found, found
    assert "0x" not in found and str(tmp_path) not in found


def test_a_photograph_keeps_the_transparency_that_a_cut_out_has():
    kept = decode_photograph(saved(RGBA, "PNG"), keep_alpha=True).image
    assert kept.mode == "RGBA" and (np.asarray(kept)[..., 3] == alpha()).all()
    assert decode_photograph(saved(RGB.convert("RGBA"), "PNG"), keep_alpha=True).image.mode == "RGB"


def test_a_jpeg_above_the_limit_is_decoded_at_half_its_size(monkeypatch):
    monkeypatch.setenv("VASERL_MAX_PIXELS", "600")
    half = decode_photograph(JPEG)  # 2,400 pixels, four times the limit
    assert half.image.size == (20, 30) and "half its width and height" in half.notes[0]
    expected = np.asarray(RGB.reduce(2), float)
    assert np.abs(np.asarray(half.image) - expected).mean() < 6
    assert decode_photograph(JPEG, shorter_side=8).image.size == (10, 15)
    monkeypatch.setenv("VASERL_MAX_PIXELS", "599")
    with pytest.raises(
        UnreadablePhotograph, match=r"at most 599 are read, and four times as many of a JPEG; raise sou"
    ):
        decode_photograph(JPEG)
    with pytest.raises(UnreadablePhotograph, match=r"at most 599 are read; raise source\.max_pixels"):
        decode_photograph(saved(RGB, "PNG"))


@pytest.mark.parametrize("colour", [(196, 104, 52), (30, 26, 24), (255, 255, 255), (90, 140, 60)])
def test_adobe_rgb_becomes_the_colour_that_the_standards_compute(colour: tuple[int, int, int]):
    adobe = adobe_from_srgb(np.full((4, 4, 3), colour, np.uint8))
    file = io.BytesIO()
    Image.fromarray(adobe).save(file, "PNG", icc_profile=ADOBE)
    assert np.abs(np.array(decode_photograph(file.getvalue()).image.getpixel((1, 1))) - colour).max() <= 1
