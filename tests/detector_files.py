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
