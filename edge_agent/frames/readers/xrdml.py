"""XRDML, PANalytical's and Malvern's scans: intensities over an angle, as XML; a measurement of an area is many scans of one length.

Elements as in the schema that the files name (XRDMeasurement, 1.0 to 2.3). Scans are shown and told, but no model looks at them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from edge_agent.frames.page import Axis
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import ANGSTROM_M, scaled, to_moment, to_number
from edge_agent.frames.readers.xml import XmlError, parse_xml
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

ROOT, LAST_MARK = b"<xrdMeasurements", b"</xrdMeasurements>"
TAIL_BYTES = 4096
AREA = "Area measurement"
EVEN = 1e-3
"""The share of a step by which positions of a list may differ from even ones."""
SYSTEM = "Diffractometer system="


class XrdmlReader:
    """XRDML; a Reader."""

    name = "XRDML"
    suffixes = (".xrdml",)
    rule = "its last element is closed"
    by_path = False
    library = ""

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By its outermost element."""
        return ROOT in head

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether the outermost element's end is missing."""
        file.seek(max(0, size - TAIL_BYTES))
        return LAST_MARK not in file.read(TAIL_BYTES)

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:  # noqa: ARG002 - text bounds it
        """Each scan, of shape (points,); an area's scans together, of shape (scans, points)."""
        name = source.name
        if LAST_MARK not in source.content[-TAIL_BYTES:]:
            refuse(name, "truncated", "ends before its last element does")
        try:
            root = parse_xml(source.content)
        except XmlError as error:
            refuse(name, "decoder_failed", f"holds {error}")
        for measurement in root.findall("xrdMeasurement"):
            scans = [(scan, points) for scan in measurement.findall("scan") for points in scan.findall("dataPoints")]
            values = [_intensities(name, points) for _, points in scans]
            area = measurement.get("measurementType") == AREA and len({len(row) for row in values}) == 1
            for place, (scan, points) in enumerate(scans[:1] if area else scans):
                record = _record(root, measurement, scan, points, time_zone)
                axis = _axis(scan, points, len(values[place]), record)
                if area:
                    record.take("scans", len(values), "xrdMeasurement/scan")
                yield record.page(np.stack(values) if area else values[place], axis=axis)


XRDML = XrdmlReader()


def _intensities(name: str, points: Element) -> NDArray[Any]:
    element = points.find("intensities")
    if element is None:
        element = points.find("counts")
    try:
        values = np.array((element.text or "").split() if element is not None else [], np.float64)
    except ValueError:
        refuse(name, "decoder_failed", "holds intensities that are not numbers")
    if not len(values):
        refuse(name, "unsupported", "holds a scan without points")
    whole = bool((np.abs(values) < 2**31).all() and (values == np.rint(values)).all())
    return values.astype(np.int32) if whole else values


def _axis(scan: Element, points: Element, count: int, record: Record) -> Axis | None:
    """What the scan goes along: 2theta where it changes, else the first axis that does."""
    moving = [axis for axis in points.findall("positions") if axis.find("commonPosition") is None]
    moving.sort(key=lambda axis: axis.get("axis") != "2Theta")
    if not moving:
        return None
    quantity, unit = moving[0].get("axis", ""), moving[0].get("unit", "")
    first, last = to_number(_text(moving[0], "startPosition")), to_number(_text(moving[0], "endPosition"))
    listed = moving[0].find("listPositions")
    if listed is not None:
        places = [to_number(part) for part in (listed.text or "").split()]
        stated = np.array([place for place in places if place is not None])
        if len(stated) < 2 or np.ptp(np.diff(stated)) > EVEN * abs(stated[-1] - stated[0]) / (len(stated) - 1):
            record.also(f"{quantity} positions", listed.text)
            return None
        first, last = float(stated[0]), float(stated[-1])
    if first is None or last is None:
        return None
    where = f"positions[{quantity}]"
    record.take("scan_axis", text_of(scan.get("scanAxis")), "scan/scanAxis")
    record.take(f"scan_start_{unit}", first, where)
    record.take(f"scan_end_{unit}", last, where)
    record.take(f"scan_step_{unit}", (last - first) / (count - 1) if count > 1 else None, where)
    return Axis(quantity, first, last, unit)


def _record(root: Element, measurement: Element, scan: Element, points: Element, time_zone: tzinfo | None) -> Record:
    record = Record()
    record.take("acquired_at", to_moment(_text(scan, "header/startTimeStamp"), (), time_zone), "scan/header/startTimeStamp")
    system = next((entry.text for entry in root.findall("comment/entry") if (entry.text or "").startswith(SYSTEM)), None)
    record.take("instrument", text_of((system or "")[len(SYSTEM) :]), "comment: Diffractometer system")
    detector = measurement.find("diffractedBeamPath/detector")
    record.take("detector", text_of(detector.get("name")) if detector is not None else None, "diffractedBeamPath/detector")
    for key in ("sample/id", "sample/name"):
        record.take("sample_id", text_of(_text(root, key)), key)
    time = points.find("commonCountingTime")
    if time is not None and time.get("unit") == "seconds":
        record.take("exposure_s", scaled(to_number(time.text), 1), "dataPoints/commonCountingTime")
    record.take("wavelength_m", *_wavelength(measurement))
    for key in ("tension", "current", "anodeMaterial"):
        element = measurement.find(f"incidentBeamPath/xRayTube/{key}")
        if element is not None:
            record.also(f"xRayTube.{key}", f"{element.text or ''} {element.get('unit', '')}")
    for key in ("measurementType", "status", "sampleMode"):
        record.also(key, measurement.get(key, ""))
    for key in ("mode", "scanAxis"):
        record.also(f"scan.{key}", scan.get(key, ""))
    for entry in root.findall("comment/entry")[:100]:
        key, equals, value = (entry.text or "").partition("=")
        if equals:
            record.also(f"comment.{key.strip()}", value)
    return record


def _wavelength(measurement: Element) -> tuple[float | None, str]:
    """That of the line that the measurement is meant for; of an unresolved K-alpha doublet the mean by intensity."""
    used = measurement.find("usedWavelength")
    if used is None:
        return None, ""
    line = {"K-Alpha 1": "kAlpha1", "K-Alpha 2": "kAlpha2", "K-Beta": "kBeta"}.get(used.get("intended", ""))
    if line is not None:
        return scaled(to_number(_text(used, line)), ANGSTROM_M), f"usedWavelength/{line}"
    first, second = to_number(_text(used, "kAlpha1")), to_number(_text(used, "kAlpha2"))
    ratio = to_number(_text(used, "ratioKAlpha2KAlpha1"))
    if first is None or second is None or ratio is None or ratio <= -1:
        return None, ""
    return scaled((first + ratio * second) / (1 + ratio), ANGSTROM_M), "usedWavelength/kAlpha1, kAlpha2"


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
