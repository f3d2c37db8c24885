"""ImageJ: its ImageDescription tells the pixel's unit, and how many images follow the only directory of a large stack."""

from __future__ import annotations

import re

from edge_agent.frames.readers.record import Record

BEGINS = "ImageJ="
IMAGES = re.compile(rb"^images=(\d{1,9})\s*$", re.MULTILINE)
METRES = {
    "m": 1.0,
    "meter": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "\u00b5m": 1e-6,
    "\u03bcm": 1e-6,
    "um": 1e-6,
    "micron": 1e-6,
    "microns": 1e-6,
    "micrometer": 1e-6,
    "nm": 1e-9,
    "nanometer": 1e-9,
    "pm": 1e-12,
    "\u00c5": 1e-10,
    "\u212b": 1e-10,
    "angstrom": 1e-10,
    "inch": 0.0254,
}
"""Units as ImageJ spells them."""
ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def read_imagej(description: str, resolution: object) -> Record:
    """What ImageJ says.

    Args:
        description: the ImageDescription.
        resolution: the XResolution, a pair whose quotient is pixels per unit; anything else counts as none.
    """
    record = Record()
    keys = dict(line.partition("=")[::2] for line in description.splitlines() if "=" in line)
    unit = ESCAPED.sub(lambda found: chr(int(found[1], 16)), keys.get("unit", "")).strip()
    metres = METRES.get(unit) or METRES.get(unit.lower())
    if metres is not None and isinstance(resolution, tuple) and len(resolution) == 2 and resolution[0] > 0:
        size = float(f"{resolution[1] / resolution[0] * metres:.12g}")
        record.take("pixel_size_m", size or None, "XResolution, ImageDescription unit")
    for key, value in keys.items():
        record.also(f"ImageJ.{key}", value)
    return record


def images_said(description: bytes) -> int:
    r"""How many images an ImageDescription of ImageJ's says there are; 1 for any other.

    >>> images_said(b"ImageJ=1.53t\nimages=12\nslices=12\n"), images_said(b"images=12")
    (12, 1)
    """
    found = IMAGES.search(description) if description.startswith(BEGINS.encode()) else None
    return max(1, int(found[1])) if found else 1
