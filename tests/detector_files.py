"""Files as diffraction and EBSD detectors write them, put together from the formats' descriptions."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

import numpy as np

CBF_START = b"\x0c\x1a\x04\xd5"
PILATUS = """# Detector: PILATUS 300K, S/N 3-0101\r
# 2021-03-04T05:06:07.250\r
# Pixel_size 172e-6 m x 172e-6 m\r
# Silicon sensor, thickness 0.000450 m\r
# Exposure_time 0.5000000 s\r
# Tau = 199.1e-09 s\r
# Count_cutoff 1000 counts\r
# Excluded_pixels: /etc/passwd\r
# Wavelength 1.5418 A\r
# Detector_distance 0.20010 m\r
# Beam_xy (31.50, 20.25) pixels\r
"""


def counts(height: int = 48, width: int = 64, seed: int = 0) -> Any:
    """Powder rings over a weak background, as int32, with a gap of -1, a dead pixel of -2 and steps of every width."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:height, :width]
    distance = np.hypot(row - height / 2, column - width / 2)
    rings = sum(200 * np.exp(-(((distance - radius) / 1.5) ** 2)) for radius in (8, 15, 21))
    values = rng.poisson(rings + 2).astype(np.int32)
    values[5, 7], values[6, 9] = 40_000, 3_000_000
    values[20:23] = -1
    values[40, 50] = -2
    return values


def byte_offsets(values: Any) -> bytes:
    """Each pixel's difference to the one before, in the fewest of 1, 2, 4 or 8 bytes; the lowest number of a width leads to the next."""
    packed, before = bytearray(), 0
    for value in np.asarray(values).ravel().tolist():
        step, before = value - before, value
        for form, width in (("<b", 8), ("<h", 16), ("<i", 32)):
            if abs(step) < 1 << (width - 1):
                packed += struct.pack(form, step)
                break
            packed += struct.pack(form, -(1 << (width - 1)))
        else:
            packed += struct.pack("<q", step)
    return bytes(packed)


def cbf_section(values: Any, *, conversion: str = "x-CBF_BYTE_OFFSET", kind: str = "signed 32-bit integer", **changed: Any) -> bytes:
    packed = byte_offsets(values) if conversion else np.ascontiguousarray(values).tobytes()
    fields = {
        "X-Binary-Size": len(packed),
        "X-Binary-ID": 1,
        "X-Binary-Element-Type": f'"{kind}"',
        "X-Binary-Element-Byte-Order": "LITTLE_ENDIAN",
        "Content-MD5": base64.b64encode(hashlib.md5(packed).digest()).decode(),
        "X-Binary-Number-of-Elements": values.size,
        "X-Binary-Size-Fastest-Dimension": values.shape[1],
        "X-Binary-Size-Second-Dimension": values.shape[0],
        "X-Binary-Size-Padding": 64,
    }
    fields.update({name.replace("_", "-"): value for name, value in changed.items()})
    said = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    convert = f'Content-Type: application/octet-stream;\r\n     conversions="{conversion}"\r\n' if conversion else ""
    return (
        b"_array_data.data\r\n;\r\n--CIF-BINARY-FORMAT-SECTION--\r\n"
        + f"{convert}Content-Transfer-Encoding: BINARY\r\n{said}\r\n".encode()
        + CBF_START
        + packed
        + bytes(64)
        + b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n\r\n"
    )


def cbf(values: Any, *, remarks: str = PILATUS, **options: Any) -> bytes:
    head = "###CBF: VERSION 1.5, CBFlib v0.7.8 - PILATUS detectors\r\n\r\ndata_a_0001\r\n\r\n"
    head += f'_array_data.header_convention "PILATUS_1.2"\r\n_array_data.header_contents\r\n;\r\n{remarks};\r\n\r\n'
    return head.encode() + cbf_section(values, **options)


def braced(keys: dict[str, Any], size: int) -> bytes:
    """A header of `size` bytes."""
    said = "{\n" + "".join(f"{key}={value};\n" for key, value in keys.items())
    return said.encode("latin-1").ljust(size - 2) + b"}\n"


def smv(values: Any, kind: str = "unsigned_short", header_bytes: int = 512, **keys: Any) -> bytes:
    said = {
        "HEADER_BYTES": f"{header_bytes:5d}",
        "DIM": 2,
        "BYTE_ORDER": "big_endian" if values.dtype.byteorder == ">" else "little_endian",
        "TYPE": kind,
        "SIZE1": values.shape[1],
        "SIZE2": values.shape[0],
        **keys,
    }
    head = "{\n" + "".join(f"{key}={value};\n" for key, value in said.items() if value is not None) + "}\n\x0c"
    return head.encode("latin-1").ljust(header_bytes) + values.tobytes()


def edf(values: Any, kind: str, *, header_bytes: int = 1024, **keys: Any) -> bytes:
    said = {
        "HeaderID": "EH:000001:000000:000000",
        "Image": 1,
        "ByteOrder": "HighByteFirst" if values.dtype.byteorder == ">" else "LowByteFirst",
        "DataType": kind,
        "Dim_1": values.shape[-1],
        "Dim_2": values.shape[-2],
        **({"Dim_3": values.shape[0]} if values.ndim == 3 else {}),
        "Size": values.nbytes,
        **keys,
    }
    head = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in said.items() if value is not None)
    return head.encode("latin-1").ljust(header_bytes - 2) + b"}\n" + values.tobytes()


BRUKER = {
    "MODEL": "D8 VENTURE",
    "SAMPLE": "A17",
    "CREATED": "08-Oct-2022                         14:37:13",
    "ELAPSDA": "12.500000",
    "CUMULAT": "12.500000",
    "WAVELEN": "0.710730         0.709300         0.713590",
    "DISTANC": "5.000000",
    "CENTER": "31.500000        20.250000",
    "DETTYPE": "CMOS-PHOTONIII-C14   36.954918",
    "CCDPARM": "15.5 36.6 259.9 0.0 163810.0",
    "TITLE": "caf\xe9 at 300 K",
}


def bruker_header(keys: dict[str, Any], blocks: int = 15) -> bytes:
    lines = [f"{key:<7s}:{value}".encode("latin-1")[:80].ljust(80) for key, value in keys.items()]
    return b"".join(lines).ljust(512 * blocks, b".")


def sfrm100(values: Any, baseline: int = 64, **changed: Any) -> bytes:
    """Bytes of count + baseline; 0 stands for the table of counts below, 255 for that of those up to 65,534, and so on."""
    offset = np.asarray(values, np.int64) - baseline
    below = values[offset < 1].astype("<i1")
    flat = offset.clip(0, 255).astype(np.uint8)
    wide = offset[offset >= 255]
    tables = [below.tobytes(), wide.clip(0, 65535).astype("<u2").tobytes(), wide[wide >= 65535].astype("<i4").tobytes()]
    keys = {
        "FORMAT": "100",
        "VERSION": "18",
        "HDRBLKS": "15",
        "NOVERFL": f"{len(below)} {len(wide)} {int((wide >= 65535).sum())}",
        "NPIXELB": "1 1",
        "NROWS": f"{values.shape[0]} 1",
        "NCOLS": f"{values.shape[1]} 1",
        "NEXP": f"1 0 {baseline} 0 1",
        **BRUKER,
        **changed,
    }
    return bruker_header(keys) + flat.tobytes() + b"".join(table + bytes(-len(table) % 16) for table in tables)


def sfrm86(values: Any, **changed: Any) -> bytes:
    """Bytes of count; 255 stands for a table of counts and places in 9 and 7 figures."""
    flat = np.minimum(values, 255).astype(np.uint8)
    places = np.flatnonzero(values.ravel() >= 255)
    table = b"".join(b"%9d%7d" % (values.ravel()[place], place) for place in places)
    keys = {"FORMAT": "86", "VERSION": "11", "HDRBLKS": "15", "NOVERFL": len(places), "NPIXELB": "1"}
    keys |= {"NROWS": values.shape[0], "NCOLS": values.shape[1], **BRUKER, **changed}
    return bruker_header(keys) + flat.tobytes() + table


def raxis(values: Any, ratio: float = 8.0, record_bytes: int = 2048) -> bytes:
    """Counts from 32,768 on are divided by the ratio and flagged by the highest bit."""
    header = bytearray(record_bytes)
    header[:10] = b"RAXIS-IV  "
    for form, place, value in (
        (">f", 292, 1.5418),
        (">f", 344, 120.0),
        (">f", 536, 2.0),
        (">f", 540, 31.5),
        (">f", 544, 20.25),
        (">i", 768, values.shape[1]),
        (">i", 772, values.shape[0]),
        (">f", 776, 0.1),
        (">f", 780, 0.1),
        (">i", 784, record_bytes),
        (">i", 788, values.shape[0]),
        (">f", 800, ratio),
    ):
        struct.pack_into(form, header, place, value)
    packed = np.where(values < 32768, values, (values / ratio).astype(np.int64) | 0x8000).astype(">u2")
    return bytes(header) + packed.tobytes()


def xrdml(
    *scans: Any, measurement_type: str = "Scan", intended: str = "K-Alpha 1", positions: str = "", element: str = "intensities"
) -> bytes:
    """Scans from 10 to 20 degrees 2theta."""
    place = positions or "<startPosition>10.0</startPosition><endPosition>20.0</endPosition>"
    body = "".join(
        f"""<scan appendNumber="0" mode="Continuous" scanAxis="Gonio" status="Completed">
<header><startTimeStamp>2021-03-16T13:10:14+03:00</startTimeStamp></header>
<dataPoints>
<positions axis="Phi" unit="deg"><commonPosition>1.5</commonPosition></positions>
<positions axis="Omega" unit="deg"><startPosition>5.0</startPosition><endPosition>10.0</endPosition></positions>
<positions axis="2Theta" unit="deg">{place}</positions>
<commonCountingTime unit="seconds">39.270</commonCountingTime>
<{element} unit="counts">{" ".join(map(str, scan))}</{element}>
</dataPoints></scan>"""
        for scan in scans
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.6" status="Completed">
<comment><entry>Goniometer=Theta/Theta; Minimum step size</entry><entry>Diffractometer system=EMPYREAN</entry></comment>
<sample type="To be analyzed"><id>A17</id><name></name></sample>
<xrdMeasurement measurementType="{measurement_type}" status="Completed">
<usedWavelength intended="{intended}"><kAlpha1 unit="Angstrom">1.5405980</kAlpha1><kAlpha2 unit="Angstrom">1.5444260</kAlpha2>
<ratioKAlpha2KAlpha1>0.5000</ratioKAlpha2KAlpha1></usedWavelength>
<incidentBeamPath><xRayTube id="1"><tension unit="kV">45.0</tension><anodeMaterial>Cu</anodeMaterial></xRayTube></incidentBeamPath>
<diffractedBeamPath><detector id="2" name="PIXcel1D"/></diffractedBeamPath>
{body}</xrdMeasurement>
</xrdMeasurements>
""".encode()


def patterns(count: int = 6, height: int = 40, width: int = 36, dtype: str = "u1") -> Any:
    """Shape (count, height, width), no two alike."""
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (count, height, width)).astype(dtype)


def up(values: Any, version: int = 1, columns: int = 0, rows: int = 0, *, hexagonal: bool = False, step: float = 1.5) -> bytes:
    scan = b"" if version < 3 else struct.pack("<BIIBdd", 0, columns, rows, hexagonal, step, 2 * step)
    return struct.pack("<4i", version, values.shape[2], values.shape[1], 16 + len(scan)) + scan + values.tobytes()


def ebsp(values: Any, version: int = 2, *, missing: tuple[int, ...] = (), compressed: tuple[int, ...] = (), step: float = 1.5) -> bytes:
    """Stored from the last to the first; three columns."""
    head = b"" if version == 0 else struct.pack("<q", -version) + bytes(version >= 4)
    begins, table, stored = len(head) + 8 * len(values), [0] * len(values), bytearray()
    for place in reversed(range(len(values))):
        if place in missing:
            continue
        table[place] = begins + len(stored)
        stored += struct.pack("<4i", place in compressed, *values.shape[1:], values[place].nbytes) + values[place].tobytes()
        if version:
            stored += struct.pack("<?d?d", True, place % 3 * step, True, place // 3 * step)
    return head + struct.pack(f"<{len(table)}q", *table) + bytes(stored)


NORDIF_SETTINGS = """[NORDIF]\t\t
Software version\t3.1.2\t
[Microscope]\t\t
Manufacturer\tHitachi\t
Model\tSU-6600\t
Magnification\t200\t#
Accelerating voltage\t20\tkV
Working distance\t24.7\tmm
[Electron image]\t\t
Resolution\t1000x1000\tpx
[EBSD detector]\t\t
Model\tUF1100\t
[Acquisition settings]\t\t
Resolution\t36x40\tpx
Exposure time\t3500\t\xb5s
[Specimen]\t\t
Name\tNi\t
[Area]\t\t
Step size\t1.500\t\xb5m
Number of samples\t2x3\t#
"""
