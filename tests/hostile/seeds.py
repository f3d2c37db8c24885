"""Good files of every format: small ones made here, and real ones where ../shared is there."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from tests.hostile.raw_tiff import PIXELS, one_picture
from tests.hostile.seed import Seed
from tests.hostile.texts import with_text, zeiss
from tests.hostile_files import micrograph, picture, tiff

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED = Path(__file__).parents[3] / "shared" / "data"
FAMILIES = ("formats", "sem/superalloy", "sem/powder", "ebsd/ni", "xrd/frames")
MOST_OF_A_FOLDER = 24
LARGEST_BYTES = 4 << 20
SMALL_BYTES = 64 << 10
"""A file of the same folder that is no larger, and is named alike or not a frame, may be a side-car."""


def small_seeds() -> list[Seed]:
    """Seeds that every clone has."""
    grey = micrograph()
    deep = micrograph(dtype=np.uint16)
    stack = io.BytesIO()
    with tifffile.TiffWriter(stack) as writer:
        for seed in range(3):
            writer.write(micrograph(seed=seed), contiguous=False, metadata=None)
    fei = "[User]\nDate=01/02/2024\nTime=03:04:05 PM\n[Beam]\nBeam=EBeam\nScan=EScan\n[EBeam]\nHV=5000\nHFW=1e-5\n[EScan]\nDwell=1e-6\n"
    smartsem = "AP_ACTUALKV\nEHT = 5.00 kV\nAP_MAG\nMag = 9.50 K X\nAP_DATE\nDate :12 Mar 2024\nAP_TIME\nTime :10:11:12"
    return [
        Seed("a.tif", tiff(grey)),
        Seed("big.tif", tiff(deep, bigtiff=True, byteorder=">")),
        Seed("tiled.tif", tiff(grey, tile=(16, 16), compression="zlib")),
        Seed("packed.tif", one_picture(b"".join(b"\x7f" + PIXELS[row : row + 128] for row in range(0, 4096, 128)), compression=32773)),
        Seed("stack.tif", stack.getvalue()),
        Seed("colour.tif", tiff(np.stack([grey] * 3, 2), photometric="rgb")),
        Seed("imagej.tif", _imagej()),
        Seed("ome.tif", _ome()),
        Seed("fei.tif", with_text(34682, fei)),
        Seed("zeiss.tif", zeiss(smartsem)),
        Seed("a.png", picture("PNG")),
        Seed("a.jpg", picture("JPEG")),
        Seed("a.bmp", picture("BMP")),
        *hdf5_seeds(),
    ]


def hdf5_seeds() -> list[Seed]:
    """NeXus, Velox and Bruker in outline; none where h5py is not installed."""
    try:
        import h5py
    except ImportError:
        return []
    made = []
    stack = np.stack([micrograph(seed=seed) for seed in range(3)])
    for name in ("a.nxs", "a.emd", "a.h5"):
        target = io.BytesIO()
        with h5py.File(target, "w") as file:
            if name == "a.nxs":
                file.attrs["default"] = "entry"
                entry = file.create_group("entry")
                entry.attrs.update({"NX_class": "NXentry", "default": "data"})
                group = entry.create_group("data")
                group.attrs.update({"NX_class": "NXdata", "signal": "data"})
                group.create_dataset("data", data=stack, chunks=(1, 64, 80), compression="gzip")
            elif name == "a.emd":
                file["Version"] = '{"format": "Velox", "version": "1.11"}'
                group = file.create_group("Data/Image/0123456789abcdef")
                group.create_dataset("Data", data=np.moveaxis(stack, 0, 2), chunks=(64, 80, 1))
                about = np.zeros((1024, 3), np.uint8)
                text = b'{"Optics": {"AccelerationVoltage": "200000"}}'
                about[: len(text)] = np.frombuffer(text, np.uint8)[:, None]
                group["Metadata"] = about
            else:
                file["Manufacturer"], file["Version"] = "Bruker Nano", "Esprit 1.9"
                file.create_dataset("Scan 0/EBSD/Data/RawPatterns", data=stack, chunks=(1, 64, 80))
                file["Scan 0/EBSD/Header/KV"] = 20.0
        made.append(Seed(name, target.getvalue()))
    return made


def _imagej() -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, micrograph(), imagej=True, metadata={"Info": "a = 1\nb = 2", "Labels": ["one"]})
    return target.getvalue()


def _ome() -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, micrograph(), ome=True, photometric="minisblack")
    return target.getvalue()


@cache
def shared_seeds() -> tuple[Seed, ...]:
    """Real files of every format; none where ../shared is not there."""
    found: dict[str, Seed] = {}
    for family in FAMILIES:
        folder = SHARED / family
        if not folder.is_dir():
            continue
        paths = sorted(path for path in folder.iterdir() if path.is_file() and path.stat().st_size <= LARGEST_BYTES)
        small = {path.name: path.read_bytes() for path in paths if path.stat().st_size <= SMALL_BYTES}
        for path in paths[:MOST_OF_A_FOLDER] if family == "formats" else paths[:2]:
            found[f"{family}/{path.name}"] = Seed(path.name, path.read_bytes(), _side_cars(path, small), "shared")
    return tuple(found.values())


def _side_cars(path: Path, small: Mapping[str, bytes]) -> dict[str, bytes]:
    """What may belong to it: texts, and files that begin with the same word."""
    word = path.stem.partition("_")[0]
    return {
        name: content
        for name, content in small.items()
        if name != path.name and (name.endswith(".txt") or name.partition("_")[0].partition(".")[0] == word)
    }


def seeds() -> list[Seed]:
    """All of them."""
    return [*small_seeds(), *shared_seeds()]
