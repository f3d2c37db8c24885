"""EBSD patterns in HDF5 as kikuchipy, EDAX, Bruker, Oxford (h5oina) and EMsoft lay them out: <scan>/EBSD/{Data, Header}.

Jackson et al. (2014), Integrating Materials and Manufacturing Innovation 3, 4; Oxford's h5oina specification, version 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.frames.readers.hdf5.scalars import note_further, quantity_of, value_of
from edge_agent.frames.readers.record import Record
from edge_agent.frames.readers.units import to_moment, to_number

if TYPE_CHECKING:
    from datetime import tzinfo

    from edge_agent.frames.readers.hdf5.images import Images
    from edge_agent.frames.readers.hdf5.tree import Tree

HEADERS = ("SEM/Header", "EBSD/Header", "SEM")
"""In a scan, where it is said how it was taken; the last is Bruker's."""
QUANTITIES = (
    ("acceleration_voltage_v", ("beam_energy", "Beam Voltage", "KV", "SEM KV", "acceleration_voltage"), "kV"),
    ("magnification", ("magnification", "Magnification", "Mag", "SEM Magnification"), ""),
    ("working_distance_m", ("working_distance", "Working Distance", "WD", "SEM WD"), "mm"),
    ("exposure_s", ("Camera Exposure Time", "exposure_time"), "ms"),
)
"""Field, names, and the unit where none is said with the number."""
TEXTS = (
    ("instrument", ("microscope", "Microscope", "Instrument")),
    ("detector", ("detector", "Detector", "Camera Model", "EBSD Detector")),
    ("sample_id", ("Sample ID", "Specimen Label", "sample_id", "sample")),
)
TIMES = ("Acquisition Date", "Date", "date")
COLUMNS = ("n_columns", "nColumns", "NCOLS", "X Cells")
STEPS = {"scan_x_m": ("step_x", "Step X", "XSTEP", "X Step"), "scan_y_m": ("step_y", "Step Y", "YSTEP", "Y Step")}


def read_ebsd(tree: Tree, images: Images, time_zone: tzinfo | None) -> Record:
    """How all patterns of a scan were taken."""
    record = Record()
    scan = images.path.split("/")[1]
    headers = [found for place in HEADERS if tree.is_group(found := tree.at(f"/{scan}/{place}"))]
    for header in headers:
        for field, names, unit in QUANTITIES:
            for found, tag in _found(tree, header, names):
                value = quantity_of(tree, found, unit)
                record.take(field, value if value is None or value > 0 else None, tag)
        for field, spellings in TEXTS:
            for found, tag in _found(tree, header, spellings):
                said = value_of(tree, found)
                record.take(field, said if isinstance(said, str) else None, tag)
        for found, tag in _found(tree, header, TIMES):
            said = value_of(tree, found)
            record.take("acquired_at", to_moment(said, (), time_zone) if isinstance(said, str) else None, tag)
    for header in headers[:2]:
        note_further(tree, header, record)
    return record


def place_in_scan(tree: Tree, images: Images, place: int) -> dict[str, str]:
    """Where in its scan a pattern was taken, as far as the file says."""
    header = tree.at(f"/{images.path.split('/')[1]}/EBSD/Header")
    told = {"scan_index": str(place)}
    columns = images.dataset.shape[1] if len(images.dataset.shape) == 4 else _number(tree, header, COLUMNS)
    if columns is None or columns < 1 or columns != int(columns) or images.count % int(columns):
        return told
    row, column = divmod(place, int(columns))
    told |= {"scan_row": str(row), "scan_column": str(column)}
    for key, steps in (("scan_x_m", column), ("scan_y_m", row)):
        found = next(iter(_found(tree, header, STEPS[key])), (None, ""))[0] if tree.is_group(header) else None
        step = quantity_of(tree, found, "um")
        if step is not None and np.isfinite(step):
            told[key] = f"{steps * step:.9g}"
    return told


def _number(tree: Tree, header: Any, names: tuple[str, ...]) -> float | None:
    if not tree.is_group(header):
        return None
    return next((number for found, _ in _found(tree, header, names) if (number := to_number(value_of(tree, found))) is not None), None)


def _found(tree: Tree, header: Any, names: tuple[str, ...]) -> list[tuple[Any, str]]:
    return [(found, f"{header.name}/{name}") for name in names if (found := tree.child(header, name)) is not None]
