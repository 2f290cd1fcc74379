"""Recognises files that are something else than their name says, by their first bytes."""

HEAD_BYTES = 512
"""Number of bytes at the start of a file that `foreign_format` needs."""

_SIGNATURES = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file itself; run `git lfs pull`"),
    (b"PK\x03\x04", "a spreadsheet (xlsx, ods) or another ZIP archive; save the sheet as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old spreadsheet (xls); save the sheet as CSV in UTF-8"),
    (b"%PDF-", "a PDF document; export the table as CSV in UTF-8"),
    (b"\x1f\x8b", "compressed by gzip; decompress it"),
    (b"BZh", "compressed by bzip2; decompress it"),
    (b"\xfd7zXZ", "compressed by xz; decompress it"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV in UTF-8"),
    (b"{\\rtf", "a text document (RTF); export the table as CSV in UTF-8"),
    (b"\xff\xfe", "text in UTF-16, not UTF-8; save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16, not UTF-8; save it as UTF-8"),
)
_MARKUP = (
    (b"<!doctype html", "a web page (HTML), perhaps an error page of the server; download the file again"),
    (b"<html", "a web page (HTML), perhaps an error page of the server; download the file again"),
    (b"<?xml", "an XML document; export the table as CSV in UTF-8"),
)


def foreign_format(head: bytes) -> str | None:
    """Returns what a file is and what to do about it, or None if it may be what its name says.

    head: the first HEAD_BYTES bytes of the file. Example of a result: "a Git LFS pointer, not the file itself; run `git
    lfs pull`".
    """
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            return what
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((what for signature, what in _MARKUP if text.startswith(signature)), None)
