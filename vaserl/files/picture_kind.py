"""Names what kind of file some bytes are, from their beginning and not from the file's suffix.

Museums, scrapers and browsers give files wrong suffixes, and a file that isn't a picture at all (an error page of a
web server, a pointer of Git LFS) often has the suffix of one.
"""

READ_KINDS = ("JPEG", "PNG", "WebP", "TIFF")
"""Kinds of pictures that are read as photographs."""
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff"})
"""Suffixes of files of these kinds, in lower case."""
OTHER_SUFFIXES = frozenset(
    {
        *(".gif", ".bmp", ".dib", ".jp2", ".j2k", ".jpf", ".jpx", ".jxl", ".jxr", ".heic", ".heif", ".avif", ".mpo"),
        *(".svg", ".pdf", ".eps", ".psd", ".psb", ".xcf", ".djvu", ".tga", ".ppm", ".pgm", ".exr", ".hdr"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"),
    }
)
"""Suffixes of pictures and scans of other kinds, in lower case. A file with one of them is a photograph that is
rejected with a reason, so that it doesn't go missing unnoticed."""
PICTURE_SUFFIXES = IMAGE_SUFFIXES | OTHER_SUFFIXES
SNIFFED_BYTES = 1024
"""Number of bytes at the beginning of a file from which its kind can be told."""

_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIU\0", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"MMOR", "camera raw"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"%PDF", "PDF"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"AT&TFORM", "DjVu"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"P4\n", "PBM"),
    (b"P5\n", "PGM"),
    (b"P6\n", "PPM"),
    (b"\0\0\x01\0", "icon"),
    (b"glTF", "GLB"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"version https://git-lfs", "Git LFS pointer"),
)
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    b"crx ": "camera raw",
}
"""Kinds of ISO media files by their major brand; others are videos."""


def kind_of(beginning: bytes) -> str:
    """Returns the kind of the file that begins with these bytes, such as "JPEG", "GIF", "HTML page" or "empty"; "" if
    it is unknown. At most `SNIFFED_BYTES` bytes are looked at."""
    head = beginning[:SNIFFED_BYTES]
    if not head:
        return "empty"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video")
    if head[:4] == b"II*\0" and head[8:10] == b"CR":
        return "camera raw"
    for bytes_there, kind in _BEGINNINGS:
        if head.startswith(bytes_there):
            return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "HTML page"
    if text.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        return "SVG" if b"<svg" in text or b"doctype svg" in text else "XML"
    return "zeros" if not head.strip(b"\0") else ""


def why_unread(kind: str) -> str:
    """Returns the reason why a file of this kind is not read as a photograph, with the remedy."""
    kinds = f"{', '.join(READ_KINDS[:-1])} or {READ_KINDS[-1]}"
    match kind:
        case "":
            return f"not an image in one of the formats {', '.join(READ_KINDS)}"
        case "empty":
            return "not an image: the file is empty; copy it again"
        case "zeros":
            return "not an image: the file begins with zeros; copy it again"
        case "Git LFS pointer":
            return "not an image: a Git LFS pointer stands in its place; run git lfs pull"
        case "HTML page" | "XML" | "zip" | "gzip" | "GLB" | "video":
            article = "an" if kind in ("HTML page", "XML") else "a"
            return f"not an image: the file is {article} {kind}{'' if kind in ('HTML page', 'video') else ' file'}"
    article = "an" if kind[0] in "AEIOi" or kind in ("SVG", "XML") else "a"
    return f"{article} {kind} file, which is not read; save it as {kinds}"
