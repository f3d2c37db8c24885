"""Files of electron microscopes' formats, written from the formats' descriptions and not by what reads them."""

from __future__ import annotations

import struct
from typing import Any

MRC_MODES = {"i1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12}


def mrc(
    planes: Any,
    order: str = "<",
    mode: int | None = None,
    extended: bytes = b"",
    kind: bytes = b"",
    stamp: bytes = b"MAP ",
    group: int = 0,
    imod_flags: int | None = None,
    **dimensions: int,
) -> bytes:
    """MRC2014: `planes` of shape (sections, rows, columns), 2 Angstrom a pixel."""
    sections, rows, columns = planes.shape
    head = bytearray(1024)
    said = {"columns": columns, "rows": rows, "sections": sections, **dimensions}
    number = MRC_MODES.get(f"{planes.dtype.kind}{planes.dtype.itemsize}", 0) if mode is None else mode
    struct.pack_into(f"{order}4i", head, 0, said["columns"], said["rows"], said["sections"], number)
    struct.pack_into(f"{order}3i", head, 28, columns, rows, sections)
    struct.pack_into(f"{order}3f", head, 40, 2.0 * columns, 2.0 * rows, 2.0 * sections)
    struct.pack_into(f"{order}2i", head, 88, group, len(extended))
    head[104:108] = kind.ljust(4, b"\0")
    if imod_flags is not None:
        struct.pack_into(f"{order}2i", head, 152, 1146047817, imod_flags)
    if stamp:
        head[208:212] = stamp
        head[212:216] = b"\x44\x44\0\0" if order == "<" else b"\x11\x11\0\0"
    struct.pack_into(f"{order}i", head, 220, 1)
    head[224:235] = b"first label"
    return bytes(head) + extended + planes.astype(planes.dtype.newbyteorder(order)).tobytes()


def fei_part(order: str = "<", length: int = 768, voltage: float = 300e3, **doubles: float) -> bytes:
    """One section's part of FEI's extended header; `doubles` by the names of the places below."""
    places = {"timestamp": 12, "stage_x": 116, "stage_y": 124, "pixel_size": 156, "magnification": 289, "dwell": 571}
    part = bytearray(length)
    struct.pack_into(f"{order}2i", part, 0, length, 0)
    struct.pack_into("<I", part, 8, 1 | 1 << 5 | 1 << 9 | 1 << 10 | 1 << 14)
    struct.pack_into(f"{order}d", part, 84, voltage)
    for name, value in doubles.items():
        struct.pack_into(f"{order}d", part, places[name], value)
    struct.pack_into(f"{order}i", part, 244, 2)
    part[20:26], part[435:439], part[519:522] = b"Krios ", b"Ceta", b"BF\0"
    return bytes(part)


SER_KINDS = {"u1": 1, "u2": 2, "u4": 3, "i1": 4, "i2": 5, "i4": 6, "f4": 7, "f8": 8, "c8": 9, "c16": 10}


def ser(
    elements: Any,
    *,
    wide: bool = False,
    valid: int | None = None,
    total: int | None = None,
    step: float = 1e-9,
    beam: tuple[float, float] | None = None,
    seconds: int = 1_456_073_486,
    side: int | None = None,
) -> bytes:
    """TIA's series of images, shape (elements, rows, columns), or of spectra, (elements, points); `side` lies about the last side."""
    images = elements.ndim == 3
    count = len(elements) if total is None else total
    form = "<q" if wide else "<i"
    head = b"II" + struct.pack("<HHii", 0x0197, 0x0220 if wide else 0x0210, 0x4122 if images else 0x4120, 0x4142 if beam else 0x4152)
    head += struct.pack("<ii", count, len(elements) if valid is None else valid)
    dimension = struct.pack("<iddiI", count, 0.0, 1.0, 0, 6) + b"Number" + struct.pack("<i", 0)
    array_begin = len(head) + struct.calcsize(form) + 4 + len(dimension)
    head += struct.pack(form, array_begin) + struct.pack("<i", 1) + dimension
    kind = SER_KINDS[f"{elements.dtype.kind}{elements.dtype.itemsize}"]
    places, tags, body = [], [], b""
    begin = array_begin + 2 * count * struct.calcsize(form)
    for number, values in enumerate(elements):
        places.append(begin + len(body))
        sides = [side or values.shape[-1], *reversed(values.shape[:-1])]
        calibration = struct.pack("<ddi", 5.0, step, 0)
        body += (
            calibration * len(sides) + struct.pack(f"<h{len(sides)}i", kind, *sides) + values[::-1].tobytes()
            if images
            else (calibration + struct.pack("<hi", kind, *sides) + values.tobytes())
        )
        tags.append(begin + len(body))
        body += struct.pack("<HHI", 0x4142 if beam else 0x4152, 0, seconds + number)
        body += struct.pack("<2d", *beam) if beam else b""
    unused = [0] * (count - len(elements))
    return head + b"".join(struct.pack(form, place) for place in [*places, *unused, *tags, *unused]) + body


EMI = """<ObjectInfo><ExperimentalConditions><MicroscopeConditions><AcceleratingVoltage>200000</AcceleratingVoltage></MicroscopeConditions>
</ExperimentalConditions><ExperimentalDescription><Root><Data><Label>Microscope</Label><Value>Tecnai {number}</Value><Unit></Unit></Data>
<Data><Label>Stage X</Label><Value>-0.159</Value><Unit>um</Unit></Data><Data><Label>Magnification</Label><Value>50000</Value><Unit>x</Unit>
</Data></Root></ExperimentalDescription><AcquireDate>Sun Feb 21 17:51:15 2016</AcquireDate><AcquireInfo><Magnification>0 X</Magnification>
<DwellTimePath>0.00001</DwellTimePath><DetectorName>HAADF</DetectorName></AcquireInfo></ObjectInfo>"""


def emi(objects: int = 1) -> bytes:
    """TIA's .emi: XML of one or more objects in a binary file."""
    return b"JK\0\2" + b"\0\xff<O".join([b"", *(EMI.format(number=number + 1).encode() for number in range(objects))]) + b"\n\0rest"


DM_SIMPLE = {"i2": 2, "i4": 3, "u2": 4, "u4": 5, "f4": 6, "f8": 7, "u1": 8, "i1": 9, "i8": 11, "u8": 12}
DM_GREY = {"i2": 1, "f4": 2, "u1": 6, "i4": 7, "i1": 9, "u2": 10, "u4": 11, "f8": 12}


class _Dm:
    """Writes DigitalMicrograph's tags."""

    def __init__(self, version: int, order: str) -> None:
        self._size = ">Q" if version == 4 else ">I"
        self._wide = version == 4
        self._order = order

    def directory(self, inner: Any) -> bytes:
        named = inner.items() if isinstance(inner, dict) else (("", one) for one in inner)
        entries = [self._entry(name, value) for name, value in named]
        return b"\1\0" + struct.pack(self._size, len(entries)) + b"".join(entries)

    def _entry(self, name: str, value: Any) -> bytes:
        inner = isinstance(value, (dict, list))
        body = self.directory(value) if inner else self._tag(value)
        label = name.encode("latin-1")
        before = struct.pack(">BH", 20 if inner else 21, len(label)) + label
        return before + (struct.pack(">Q", len(body)) if self._wide else b"") + body

    def _tag(self, value: Any) -> bytes:
        kind, content = self._scalar(value) if isinstance(value, (str, int, float)) else self._many(value)
        return b"%%%%" + b"".join(struct.pack(self._size, number) for number in (len(kind), *kind)) + content

    def _scalar(self, value: str | float) -> tuple[tuple[int, ...], bytes]:
        if isinstance(value, str):
            return (20, 4, len(value)), value.encode("utf-16-le" if self._order == "<" else "utf-16-be")
        form, number = ("i", 3) if isinstance(value, int) else ("d", 7)
        return (number,), struct.pack(self._order + form, value)

    def _many(self, value: Any) -> tuple[tuple[int, ...], bytes]:
        if isinstance(value, tuple):
            return (15, 0, len(value), *(number for _ in value for number in (0, 3))), struct.pack(f"{self._order}{len(value)}i", *value)
        content = value.astype(value.dtype.newbyteorder(self._order)).tobytes()
        kind = (15, 0, 2, 0, 6, 0, 6) if value.dtype.kind == "c" else (DM_SIMPLE[f"{value.dtype.kind}{value.dtype.itemsize}"],)
        return (20, *kind, value.size), content


def dm(tags: dict[str, Any], version: int = 4, order: str = "<", length: int | None = None) -> bytes:
    """A file of these tags: dictionaries are directories, lists directories without names, arrays arrays, tuples structures."""
    root = _Dm(version, order).directory(tags)
    said = len(root) if length is None else length
    return struct.pack(">IQI" if version == 4 else ">III", version, said, order == "<") + root + bytes(8)


def dm_image(
    values: Any, kind: int | None = None, unit: str = "nm", dimensions: list[int] | None = None, **image_tags: Any
) -> dict[str, Any]:
    """One entry of the ImageList; 0.5 units a pixel."""
    sides = list(reversed(values.shape)) if dimensions is None else dimensions
    said = DM_GREY.get(f"{values.dtype.kind}{values.dtype.itemsize}", 3) if kind is None else kind
    return {
        "ImageData": {
            "Calibrations": {"Dimension": [{"Origin": 4.0, "Scale": 0.5, "Units": unit} for _ in sides]},
            "Data": values.ravel(),
            "DataType": said,
            "Dimensions": sides,
            "PixelDepth": values.dtype.itemsize,
        },
        "ImageTags": image_tags,
        "Name": "image",
    }
