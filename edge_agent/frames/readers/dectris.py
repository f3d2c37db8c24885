"""The remarks that Dectris' detectors write into CBF and TIFF: lines `# Key value`.

Pilatus CBF Header Specification 1.4; in TIFF they are the image's description.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import ANGSTROM_M, scaled, to_moment, to_number

if TYPE_CHECKING:
    from datetime import tzinfo

WHEN = ("%Y/%b/%d %H:%M:%S.%f", "%Y/%b/%d %H:%M:%S", "%a %b %d %H:%M:%S %Y")
REMARK = re.compile(r"([A-Za-z]\w*)[ :=]+(.*)")
NUMBER = re.compile(r"[-+]?\d[\d.]*(?:[eE][-+]?\d+)?")
LONGEST_REMARK, MOST_REMARKS = 200, 200


def are_remarks(text: str) -> bool:
    """Whether a text, such as a TIFF's description, is of such lines."""
    return text.startswith("# ") and "Pixel_size" in text


def read_remarks(text: str, time_zone: tzinfo | None) -> Record:
    """What the lines among a text's that begin with # say."""
    bodies = [line[1:].strip() for line in text.splitlines() if line.startswith("#")]
    remarks = {found[1]: found[2] for body in bodies if (found := REMARK.match(body))}

    def number(key: str, place: int = 0) -> float | None:
        found = NUMBER.findall(remarks.get(key, "")[:LONGEST_REMARK])
        return to_number(found[place]) if len(found) > place else None

    record = Record()
    record.saturated = scaled(number("Count_cutoff"), 1)
    when = (to_moment(body, WHEN, time_zone) for body in bodies[:MOST_REMARKS])
    record.take("acquired_at", next(filter(None, when), None), "# date")
    record.take("detector", text_of(remarks.get("Detector", "").partition(", S/N")[0]), "# Detector")
    record.take("pixel_size_m", scaled(number("Pixel_size"), 1), "# Pixel_size")
    record.take("exposure_s", scaled(number("Exposure_time"), 1), "# Exposure_time")
    record.take("wavelength_m", scaled(number("Wavelength"), ANGSTROM_M), "# Wavelength")
    record.take("detector_distance_m", scaled(number("Detector_distance"), 1), "# Detector_distance")
    column, row = number("Beam_xy"), number("Beam_xy", 1)
    record.take("beam_centre_px", None if column is None or row is None else f"{column:.9g} {row:.9g}", "# Beam_xy")
    record.take("saturation_counts", record.saturated, "# Count_cutoff")
    for key, value in remarks.items():
        record.also(key, value)
    return record
