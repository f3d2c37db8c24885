"""A file's format by its first bytes; its name is never believed."""

from __future__ import annotations

from pathlib import PurePath

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
)
"""The formats that are read."""

STRANGERS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"MZ", "a Windows program"),
    (b"<?xml", "an XML text"),
    (b"RIFF", "a RIFF container"),
)
"""Formats that are only named, so that a person sees at once what was put there."""

SUFFIXES = {".tif": "TIFF", ".tiff": "TIFF", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP"}
LONGEST = 8


def read_format(head: bytes) -> str | None:
    r"""TIFF, PNG, JPEG or BMP by the first bytes of a file, None for anything else.

    >>> read_format(b"II*\x00"), read_format(b"#!/bin/sh")
    ('TIFF', None)
    """
    return next((name for signature, name in SIGNATURES if head.startswith(signature)), None)


def promised_format(name: str) -> str | None:
    """The format a file's name promises."""
    return SUFFIXES.get(PurePath(name).suffix.lower())


def describe(head: bytes) -> str:
    """What a file that is not read seems to be."""
    known = next((said for signature, said in STRANGERS if head.startswith(signature)), None)
    if known is not None:
        return known
    if not any(head):
        return "nothing but zeros"
    if all(byte in b"\t\r\n" or byte >= 0x20 for byte in head[:LONGEST]) and b"\x00" not in head:
        return "text"
    return "of no known format"
