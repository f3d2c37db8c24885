"""TIA's .emi beside its series: XML within a binary file, of which the first object belongs to NAME_1.ser, the second to NAME_2.ser."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import to_base_unit, to_number, to_quantity, to_utc
from edge_agent.frames.readers.xml import XmlError, parse_xml

if TYPE_CHECKING:
    from datetime import tzinfo
    from xml.etree.ElementTree import Element

    from edge_agent.frames.reader import Source

SERIES_NAME = re.compile(r"(.+)_(\d{1,4})\.ser", re.IGNORECASE)
BEGINS, ENDS = b"<ObjectInfo>", b"</ObjectInfo>"
WHEN = ("%a %b %d %H:%M:%S %Y",)
VOLTAGE = "ExperimentalConditions/MicroscopeConditions/AcceleratingVoltage"


def side_car_of(name: str) -> str:
    """The name of a series' .emi, or "".

    >>> side_car_of("STEM_12.ser"), side_car_of("STEM.ser")
    ('STEM.emi', '')
    """
    found = SERIES_NAME.fullmatch(name)
    return f"{found[1]}.emi" if found else ""


def read_emi(source: Source, time_zone: tzinfo | None) -> Record:
    """What the .emi says of a series; an empty record when there is none, or none that can be read."""
    own_name = PurePath(source.path).name
    name, found = side_car_of(own_name), SERIES_NAME.fullmatch(own_name)
    content = source.beside(name) if name else None
    root = _object(content, int(found[2])) if content is not None and found else None
    return Record() if root is None else _record(root, name, time_zone)


def _object(content: bytes, number: int) -> Element | None:
    objects = content.split(BEGINS, number + 1)[1:]
    text = objects[number - 1] if len(objects) >= number > 0 else objects[0] if len(objects) == 1 else b""
    inner, end, _ = text.partition(ENDS)
    if not end:
        return None
    try:
        return parse_xml(BEGINS + inner + ENDS)
    except XmlError:
        return None


def _record(root: Element, name: str, time_zone: tzinfo | None) -> Record:
    record = Record(name)
    described: dict[str, tuple[str, str]] = {}
    for item in root.iterfind("ExperimentalDescription/Root/Data"):
        label, value, unit = (item.findtext(part, "").strip() for part in ("Label", "Value", "Unit"))
        described.setdefault(label, (value, unit))
        record.also(f"{label} ({unit})" if unit else label, value)

    def quantity(field: str, label: str) -> None:
        value, unit = described.get(label, ("", ""))
        record.take(field, to_base_unit(value, unit), label)

    record.take("acceleration_voltage_v", to_number(root.findtext(VOLTAGE)) or None, "AcceleratingVoltage")
    quantity("acceleration_voltage_v", "High tension")
    record.take("acquired_at", to_utc(root.findtext("AcquireDate", ""), WHEN, time_zone), "AcquireDate")
    record.take("instrument", text_of(described.get("Microscope", ("", ""))[0]), "Microscope")
    quantity("stage_x_m", "Stage X")
    quantity("stage_y_m", "Stage Y")
    magnification = to_quantity(root.findtext("AcquireInfo/Magnification", ""))
    record.take("magnification", magnification or None, "AcquireInfo/Magnification")
    record.take("magnification", to_number(described.get("Magnification", ("", ""))[0]) or None, "Magnification")
    camera, dwell = text_of(root.findtext("AcquireInfo/CameraNamePath")), to_number(root.findtext("AcquireInfo/DwellTimePath"))
    record.take("detector", camera, "AcquireInfo/CameraNamePath")
    record.take("detector", text_of(root.findtext("AcquireInfo/DetectorName")), "AcquireInfo/DetectorName")
    record.take("exposure_s" if camera else "dwell_s", dwell or None, "AcquireInfo/DwellTimePath")
    return record
