"""What vendors' readers need: numbers with units, and times without a zone."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
UNITS = ("Pa", "V", "A", "m", "s", "X")
SPELLED = {"Secs": "s", "secs": "s", "Volt": "V", "volt": "V", "micron": "\u00b5m", "microns": "\u00b5m"}
ANGSTROM_M = 1e-10
QUANTITY = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d{1,3})?)\s*(\S+)\s*")


def to_number(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def to_base_unit(value: object, unit: str) -> float | None:
    """A number in V, A, m or s from one with a prefixed unit.

    >>> to_base_unit(25.0, "kV"), to_base_unit("50", "ns"), to_base_unit(3, "parsec")
    (25000.0, 5e-08, None)
    """
    number = to_number(value)
    if number is None:
        return None
    unit, base = SPELLED.get(unit.strip(), unit.strip()), base_of(unit)
    factor = PREFIXES.get(unit[: -len(base)]) if base else None
    if factor is None:
        return None
    return float(f"{number * factor:.12g}")  # 14.808 mm is 0.014808 m, not 0.014808000000000002


def base_of(unit: str) -> str | None:
    """The base unit that a prefixed one is of, by its end; None of one that is not known.

    >>> base_of("kV"), base_of("Secs"), base_of("parsec")
    ('V', 's', None)
    """
    spelled = SPELLED.get(unit.strip(), unit.strip())
    return next((base for base in UNITS if spelled.endswith(base)), None)


def to_quantity(text: object) -> float | None:
    """A number in V, A, m or s from a text that ends in its unit.

    >>> to_quantity("15000 Volt"), to_quantity("500nm"), to_quantity("6900 um"), to_quantity("12")
    (15000.0, 5e-07, 0.0069, None)
    """
    found = QUANTITY.fullmatch(text[:64]) if isinstance(text, str) else None
    return to_base_unit(found[1], found[2]) if found else None


def scaled(value: float | None, factor: float) -> float | None:
    """A positive number in another unit, None for anything else: detectors write 0 or -1 for what they do not know.

    >>> scaled(14.808, 1e-3), scaled(-1.0, 1e-3)
    (0.014808, None)
    """
    return float(f"{value * factor:.12g}") if value is not None and value > 0 else None


def to_moment(text: str, forms: tuple[str, ...], time_zone: tzinfo | None) -> datetime | None:
    """A time in UTC from ISO 8601, whose own zone counts, or from local text of one of `forms`; None for anything else."""
    try:
        stated = datetime.fromisoformat(text.strip())
    except ValueError:
        return to_utc(text, forms, time_zone)
    try:
        return (stated if stated.tzinfo else stated.replace(tzinfo=time_zone or UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def to_utc(text: str, forms: tuple[str, ...], time_zone: tzinfo | None) -> datetime | None:
    """A time in UTC from local text; None when no form fits."""
    for form in forms:
        try:
            local = datetime.strptime(text.strip(), form)  # noqa: DTZ007 - the zone is put in below
        except ValueError:
            continue
        try:
            return local.replace(tzinfo=time_zone or UTC).astimezone(UTC)
        except (OverflowError, ValueError):
            return None
    return None
