"""How the names of frame files end: what streams take unless told otherwise."""

from __future__ import annotations

FRAME_SUFFIXES = (
    ".tif",
    ".tiff",
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".cbf",
    ".cbf.gz",
    ".cbf.bz2",
    ".edf",
    ".edf.gz",
    ".edf.bz2",
    ".sfrm",
    ".up1",
    ".up2",
    ".ebsp",
    ".mrc",
    ".mrcs",
    ".ser",
    ".dm3",
    ".dm4",
    ".emd",
    ".nxs",
    ".h5oina",
)
"""Suffixes by which a frame file of the readers that ship is known; a suffix that other programs use for other things is left out."""

FRAME_PATTERNS = tuple(f"**/*{suffix}" for suffix in FRAME_SUFFIXES)
"""The same as patterns; letter case does not matter."""
