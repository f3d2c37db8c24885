"""NeXus: how images were taken, by the classes of the groups around them (NXentry, NXinstrument, NXdetector, NXsample, ...).

Könnecke et al. (2015), J. Appl. Cryst. 48, 301-305; class definitions of the NIAC, version 2024.02.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.frames.readers.hdf5.scalars import note_further, quantity_of, value_of
from edge_agent.frames.readers.hdf5.tree import text
from edge_agent.frames.readers.record import Record
from edge_agent.frames.readers.units import to_moment, to_number

if TYPE_CHECKING:
    from datetime import tzinfo

    from edge_agent.frames.readers.hdf5.images import Images
    from edge_agent.frames.readers.hdf5.tree import Tree

TEXTS = (
    ("instrument", "NXinstrument", ("name",)),
    ("instrument", "NXsource", ("name",)),
    ("detector", "NXdetector", ("description", "local_name", "type")),
    ("sample_id", "NXsample", ("name", "sample_id")),
)
QUANTITIES = (
    ("exposure_s", "NXdetector", ("count_time", "exposure_time", "frame_time"), "s"),
    ("detector_distance_m", "NXdetector", ("distance", "detector_distance"), "m"),
    ("pixel_size_m", "NXdetector", ("x_pixel_size",), "m"),
    ("wavelength_m", "NXmonochromator", ("wavelength",), "angstrom"),
    ("wavelength_m", "NXbeam", ("incident_wavelength",), "angstrom"),
    ("acceleration_voltage_v", "NXsource", ("voltage",), "V"),
    ("acceleration_voltage_v", "NXebeam_column", ("electron_source/voltage",), "V"),
    ("working_distance_m", "NXebeam_column", ("working_distance",), "m"),
    ("magnification", "NXem_optical_system", ("magnification",), ""),
)
"""Field, class, names of its datasets, and their unit where they do not say one themselves."""
SATURATED = ("saturation_value", "countrate_correction_count_cutoff")
PIXELS = {"", "pixel", "pixels", "px"}


def read_nexus(tree: Tree, images: Images, time_zone: tzinfo | None) -> tuple[Record, float | None]:
    """How all of a dataset's images were taken, and the count at which a pixel is saturated."""
    record = Record()
    entry = tree.at("/" + images.path.split("/")[1])
    if not tree.is_group(entry):
        entry = tree.root
    groups = _by_class(tree, entry, images)
    started = value_of(tree, tree.child(entry, "start_time"))
    if isinstance(started, str):
        record.take("acquired_at", to_moment(started, (), time_zone), f"{entry.name}/start_time")
    for field, kind, names in TEXTS:
        for found, tag in _found(tree, groups, kind, names):
            value = value_of(tree, found)
            record.take(field, value if isinstance(value, str) else None, tag)
    for field, kind, names, unit in QUANTITIES:
        for found, tag in _found(tree, groups, kind, names):
            value = quantity_of(tree, found, unit)
            record.take(field, value if value is None or value > 0 else None, tag)
    saturated = None
    for found, tag in _found(tree, groups, "NXdetector", SATURATED):
        saturated = saturated or to_number(value_of(tree, found)) or None
        record.take("saturation_counts", saturated, tag)
    _beam_centre(tree, groups, record)
    note_further(tree, entry, record)
    return record, saturated


def _by_class(tree: Tree, entry: Any, images: Images) -> dict[str, list[Any]]:
    """The entry's groups by class; of several detectors the one that holds the images, and none where that cannot be told."""
    groups: dict[str, list[Any]] = {}
    for _, found in tree.walk(entry):
        kind = text(found.attrs.get("NX_class")) if tree.is_group(found) else None
        if kind is not None:
            groups.setdefault(kind, []).append(found)
    detectors = groups.get("NXdetector", [])
    if len(detectors) > 1:
        own = [group for group in detectors if any(found == images.dataset for _, found in tree.children(group))]
        groups["NXdetector"] = own
    return groups


def _found(tree: Tree, groups: dict[str, list[Any]], kind: str, names: tuple[str, ...]) -> list[tuple[Any, str]]:
    found = [(tree.at(name, group), f"{group.name}/{name}") for group in groups.get(kind, []) for name in names]
    return [(one, tag) for one, tag in found if one is not None]


def _beam_centre(tree: Tree, groups: dict[str, list[Any]], record: Record) -> None:
    for group in groups.get("NXdetector", []):
        ends = [tree.child(group, f"beam_center_{axis}") for axis in "xy"]
        units = [text(end.attrs.get("units")) or "" for end in ends if tree.is_dataset(end)]
        column, row = (to_number(value_of(tree, end)) for end in ends)
        if len(units) == 2 and set(units) <= PIXELS and column is not None and row is not None:
            record.take("beam_centre_px", f"{column:.9g}, {row:.9g}", f"{group.name}/beam_center_x, beam_center_y")
