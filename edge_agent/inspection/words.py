"""What was understood of a file, in words: numbers in units that a person uses, and beside each the tag that told it."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.frames.understanding import Understood, UnderstoodFrame

UNITS = {"_v": "V", "_a": "A", "_m": "m", "_s": "s"}
"""By how a term ends."""
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "\u00b5"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"))
TERM_WIDTH, VALUE_WIDTH = 24, 26


def described(file: Understood, completeness: str) -> str:
    """The line about the file itself."""
    by = f"read by {file.library}" if file.library else "read by edge-agent itself"
    state = {"complete": "complete", "growing": "INCOMPLETE"}.get(completeness, "not known to be complete")
    growing = "; its writer still has it open" if file.growing else ""
    return f"{file.form}, {by}; {state}{growing}. A file is complete when {file.rule}"


def lines_of(frame: UnderstoodFrame, *, with_all: bool = False) -> Iterator[str]:
    """The lines about one frame, or about a scan; further keys of the vendor's only `with_all`."""
    yield _stored(frame)
    terms = {name: value for name, value in dataclasses.asdict(frame.acquisition).items() if name != "extra" and value is not None}
    common = {name: text for name, text in frame.acquisition.extra.items() if name in frame.sources}
    for name, value in {**terms, **common}.items():
        yield f"{_named(name):<{TERM_WIDTH}}{_said(name, value):<{VALUE_WIDTH}}  {frame.sources.get(name, '')}".rstrip()
    if frame.side_car:
        yield f"side-car: {frame.side_car}"
    further = {name: text for name, text in frame.acquisition.extra.items() if name not in frame.sources}
    if with_all:
        yield from (f"{name} = {' '.join(text.split())}" for name, text in further.items())
    elif further:
        yield f"{len(further)} further {'key' if len(further) == 1 else 'keys'} of the vendor's, shown with --all"
    if frame.refused is not None:
        yield f"NOT ASKED OF A MODEL: {frame.refused.cause}: {frame.refused.reason}; {frame.refused.remedy}".rstrip("; ")


def _stored(frame: UnderstoodFrame) -> str:
    if not frame.shape:
        return "could not be read"
    values = "" if frame.least is None or frame.greatest is None else f", values {frame.least:.6g} to {frame.greatest:.6g}"
    if len(frame.shape) == 1:
        axis = frame.axis
        along = "" if axis is None else f" along {axis.quantity} from {axis.first:.6g} to {axis.last:.6g} {axis.unit}".rstrip()
        return f"a scan of {frame.shape[0]} points{along}, {frame.dtype}{values}"
    height, width, *channels = frame.shape
    used = f", {frame.bits} bits used" if frame.bits is not None else ""
    colours = f" in {channels[0]} channels" if channels else ""
    bar = f"; the {frame.bar_rows} rows of its data bar are left out" if frame.bar_rows else ""
    return f"{width} x {height} pixels{colours}, {frame.dtype}{used}{values}{bar}"


def _named(term: str) -> str:
    """acceleration_voltage_v becomes acceleration voltage."""
    ending = next((ending for ending in UNITS if term.endswith(ending)), "")
    return term.removesuffix(ending).replace("_", " ")


def _said(term: str, value: object) -> str:
    """A value with its unit.

    >>> _said("pixel_size_m", 2.615e-06), _said("acceleration_voltage_v", 25000.0), _said("stage_x_m", 0.0), _said("magnification", 105.0)
    ('2.615 \u00b5m', '25 kV', '0 m', '105')
    """
    unit = next((unit for ending, unit in UNITS.items() if term.endswith(ending)), "")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S UTC")
    try:
        number = float(str(value))
    except ValueError:
        return str(value)
    if not unit:
        return f"{number:.9g}" if isinstance(value, float) else str(value)
    factor, prefix = next(((factor, prefix) for factor, prefix in PREFIXES if abs(number) >= factor), (1.0, ""))
    return f"{number / factor:.6g} {prefix}{unit}"
