"""Single values of an HDF5 file with their units, and the rest of a group's as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.frames.readers.hdf5.tree import text
from edge_agent.frames.readers.units import ANGSTROM_M, base_of, to_base_unit, to_number

if TYPE_CHECKING:
    from edge_agent.frames.readers.hdf5.tree import Tree
    from edge_agent.frames.readers.record import Record

MOST_FURTHER = 100
FURTHER_LENGTH = 200
"""Further keys of a file that are kept, and characters of each: every frame of a stack carries them."""
LONGEST_BYTES = 1 << 16
"""The longest value that is read as metadata."""


def value_of(tree: Tree, found: Any) -> Any:
    """A dataset's only value: text, or a number; None of anything else."""
    if not tree.is_dataset(found) or tree.note_elsewhere(found) or found.shape is None or found.size != 1:
        return None
    if found.dtype.itemsize > LONGEST_BYTES or found.dtype.kind not in "uifbSO":
        return None
    value = np.asarray(found[()]).reshape(-1)[0]
    if isinstance(value, (bytes, str)):
        return text(value)
    return value.item() if isinstance(value, np.generic) else None


def quantity_of(tree: Tree, found: Any, unit: str = "") -> float | None:
    """A dataset's only number in its base unit: by its attribute `units` or `Unit`, else by `unit`; as it is where none is known.

    None where it says a unit of another kind than `unit`; but "A" of a length is no ampere, it is what beamlines write for Angstrom.
    """
    number = to_number(value_of(tree, found))
    if number is None:
        return None
    said = text(found.attrs.get("units")) or text(found.attrs.get("Unit")) or unit
    is_length = unit == "angstrom" or base_of(unit) == "m"
    if said.rstrip("s").lower() in {"angstrom", "å"} or (is_length and said == "A"):
        return float(f"{number * ANGSTROM_M:.12g}")
    if not said:
        return number
    return to_base_unit(number, said) if base_of(said) == ("m" if is_length else base_of(unit)) or not unit else None


def note_further(tree: Tree, group: Any, record: Record) -> None:
    """Keep the single values in and below a group that say nothing of a field."""
    kept, told = 0, set(record.sources.values())
    for path, found in tree.walk(group):
        if kept == MOST_FURTHER:
            return
        value = None if group.name.rstrip("/") + path in told else value_of(tree, found)
        if value is not None:
            unit = text(found.attrs.get("units")) or text(found.attrs.get("Unit"))
            record.also(path.lstrip("/"), f"{value} {unit}"[:FURTHER_LENGTH] if unit else str(value)[:FURTHER_LENGTH])
            kept += 1
