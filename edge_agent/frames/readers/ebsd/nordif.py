"""NORDIF: `Pattern.dat`, patterns of 8 bits and nothing else, and beside it `Setting.txt`, which says how large and how many they are."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from edge_agent.frames.reader import Source, Stack, all_pages
from edge_agent.frames.readers.ebsd.patterns import opened, pattern_at, take_place
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.stored import check_shape, whole
from edge_agent.frames.readers.units import scaled, to_base_unit, to_number
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page

FILE, SETTINGS = "pattern.dat", "Setting.txt"
SIDES = re.compile(r"(\d{1,9}) ?x ?(\d{1,9})")
TOLD = ("Microscope", "EBSD detector", "Detector angles", "Acquisition settings")
"""Sections whose other keys travel with every pattern, so not all of them."""

Sections = dict[str, dict[str, tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Scan:
    """What the settings say of it: sides of a pattern, columns and rows of the scan, the step between them."""

    height: int
    width: int
    columns: int
    rows: int
    step_m: float | None


class NordifReader:
    """NORDIF; a StackReader."""

    name = "NORDIF"
    suffixes = (".dat",)
    rule = "it holds as many patterns as Setting.txt beside it says"
    by_path = True
    library = ""

    def recognises(self, head: bytes, name: str) -> bool:
        """By its whole name, for it has no header; its size and settings must then bear it out."""
        return bool(head) and PurePath(name).name.lower() == FILE

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether there are fewer patterns than the settings beside it say; without settings that cannot be said."""
        path = getattr(file, "name", None)
        content = Source(path, "", b"").beside(SETTINGS) if isinstance(path, str) and path else None
        scan = _scan(_sections(content)) if content is not None else None
        return scan is not None and size < scan.height * scan.width * scan.columns * scan.rows

    @contextmanager
    def stack(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Stack]:  # noqa: ARG002 - it tells no time
        """Its patterns, row by row of the scan."""
        name = source.name
        content = source.beside(SETTINGS)
        if content is None:
            refuse(name, "unsupported", f"has no {SETTINGS} beside it, which tells how large its patterns are", f"put {SETTINGS} beside it")
        sections = _sections(content)
        scan = _scan(sections)
        if scan is None:
            refuse(name, "unsupported", f"has a {SETTINGS} beside it that tells no size or number of patterns", "save the scan again")
        shape = scan.height, scan.width
        check_shape(name, shape, 1, limits)
        each, count = scan.height * scan.width, scan.columns * scan.rows
        with opened(source.path) as (file, size):
            if size < count * each:
                refuse(name, "truncated", f"holds {size // each} of {count} patterns")
            if size > count * each:
                reason = f"holds {size} bytes, and the {count} patterns that {SETTINGS} tells of take {count * each}"
                refuse(name, "decoder_failed", reason, f"put its own {SETTINGS} beside it")

            def page(place: int) -> Page:
                values = pattern_at(file, place * each, shape, np.dtype("u1"), name)
                record = _record(sections)
                record.take("scan_index", place, "place in the file")
                take_place(record, place, scan.columns, (scan.step_m, scan.step_m), "[Area]")
                return record.page(values)

            yield Stack(count, page)

    read = all_pages


NORDIF = NordifReader()


def _sections(content: bytes) -> Sections:
    """Lines `[Section]` and `key TAB value TAB unit`."""
    sections: Sections = {}
    section: dict[str, tuple[str, str]] = {}
    for line in content.decode("cp1252", "replace").splitlines():
        key, _, rest = line.partition("\t")
        value, _, unit = rest.partition("\t")
        key = key.strip()
        if key.startswith("[") and key.endswith("]"):
            section = sections.setdefault(key[1:-1], {})
        elif key:
            section.setdefault(key, (value.strip(), unit.strip()))
    return sections


def _scan(sections: Sections) -> Scan | None:
    area = sections.get("Area", {})
    sides = SIDES.fullmatch(sections.get("Acquisition settings", {}).get("Resolution", ("", ""))[0])
    samples = SIDES.fullmatch(area.get("Number of samples", ("", ""))[0])
    if sides is None or samples is None:
        return None
    width, height, rows, columns = whole(sides[1]), whole(sides[2]), whole(samples[1]), whole(samples[2])
    if min(width, height, rows, columns) < 1:
        return None
    return Scan(height, width, columns, rows, scaled(to_base_unit(*area.get("Step size", ("", ""))), 1))


def _record(sections: Mapping[str, Mapping[str, tuple[str, str]]]) -> Record:
    record = Record(SETTINGS)

    def text(section: str, key: str) -> str | None:
        return text_of(sections.get(section, {}).get(key, ("", ""))[0])

    def quantity(section: str, key: str) -> float | None:
        return to_base_unit(*sections.get(section, {}).get(key, ("", "")))

    maker = f"{text('Microscope', 'Manufacturer') or ''} {text('Microscope', 'Model') or ''}"
    record.take("instrument", text_of(maker), "[Microscope] Manufacturer, Model")
    record.take("detector", text("EBSD detector", "Model"), "[EBSD detector] Model")
    record.take("sample_id", text("Specimen", "Name"), "[Specimen] Name")
    record.take("acceleration_voltage_v", quantity("Microscope", "Accelerating voltage"), "[Microscope] Accelerating voltage")
    record.take("magnification", to_number(text("Microscope", "Magnification")), "[Microscope] Magnification")
    record.take("working_distance_m", quantity("Microscope", "Working distance"), "[Microscope] Working distance")
    record.take("exposure_s", quantity("Acquisition settings", "Exposure time"), "[Acquisition settings] Exposure time")
    for section in TOLD:
        for key, (value, unit) in sections.get(section, {}).items():
            record.also(f"{section}.{key}", f"{value} {unit}")
    return record
