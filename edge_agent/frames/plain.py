"""Frozen dataclasses as plain values that JSON can carry, and back, each field checked against its annotation.

Nothing that arrives chooses what is made of it: the receiver names the class, the class names its fields, and whatever does not fit is a
ValueError. A field added to a class travels at once, if its type is one of these: bool, int, float (finite), str, StrEnum, datetime in a
zone (it arrives in UTC), ZoneInfo, Path, bytes, an array, a tuple, a dict of texts, such a dataclass, or one of them or None.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Union, cast, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from edge_agent.core.portion import RefusedFrame
from edge_agent.frames.limits import DecodeLimits

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPES: Mapping[str, np.dtype[Any]] = {"u1": np.dtype("u1"), "u2": np.dtype("<u2"), "f4": np.dtype("<f4")}
"""The types that pixels have; little-endian on the way."""
NAMES: Mapping[str, Any] = {
    "datetime": datetime,
    "tzinfo": tzinfo,
    "Path": Path,
    "Pixels": np.ndarray,
    "DecodeLimits": DecodeLimits,
    "RefusedFrame": RefusedFrame,
}
"""What the classes import for their annotations only."""


class Beside(Protocol):
    """Where the bytes come from that JSON does not carry, in their order; refuses with ValueError what is too much."""

    def array(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """The next array."""
        ...

    def content(self, size: int) -> bytes:
        """The next `size` bytes."""
        ...

    def text(self, value: str) -> str:
        """A text as it is wanted."""
        ...


Unpack: TypeAlias = Callable[[Any, Beside], Any]


def pack(value: Any, beside: list[NDArray[Any] | bytes]) -> Any:
    """The plain value; arrays and bytes are appended to `beside`. Raises ValueError for what cannot travel."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, (tuple, list)):
        return [pack(one, beside) for one in value]
    if isinstance(value, dict):
        return {_checked(key, str): _checked(one, str) for key, one in value.items()}
    if names := _field_names(cast("Any", type(value))):
        return {name: pack(getattr(value, name), beside) for name in names}
    return _set_beside(value, beside) if isinstance(value, (np.ndarray, bytes)) else _as_text(value)


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


def _set_beside(value: NDArray[Any] | bytes, beside: list[NDArray[Any] | bytes]) -> Any:
    if isinstance(value, bytes):
        beside.append(value)
        return len(value)
    name = f"{value.dtype.kind}{value.dtype.itemsize}"
    if name not in DTYPES:
        raise ValueError(f"an array of {value.dtype} cannot travel")
    beside.append(np.ascontiguousarray(value, DTYPES[name]))
    return {"dtype": name, "shape": list(value.shape)}


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, ZoneInfo) and value.key is not None:
        return value.key
    if isinstance(value, Path):
        return os.fspath(value)
    raise ValueError(f"a {type(value).__name__} cannot travel")


@cache
def unpacker(kind: Any) -> Unpack:
    """What makes a value of the type `kind` from a plain one, or raises ValueError."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        (one,) = (part for part in get_args(kind) if part is not NoneType)
        return _optional(unpacker(one))
    if origin is tuple:
        return _tuple(unpacker(get_args(kind)[0]))
    if origin is dict:
        return _texts
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return lambda plain, _: kind(_checked(plain, str))
    return _SIMPLE[kind]


def _optional(unpack: Unpack) -> Unpack:
    return lambda plain, beside: None if plain is None else unpack(plain, beside)


def _tuple(unpack: Unpack) -> Unpack:
    return lambda plain, beside: tuple([unpack(one, beside) for one in _checked(plain, list)])


def _dataclass(kind: type) -> Unpack:
    hints = get_type_hints(kind, localns=dict(NAMES))
    fields = {field.name: unpacker(hints[field.name]) for field in dataclasses.fields(kind)}

    def unpack(plain: Any, beside: Beside) -> Any:
        if _checked(plain, dict).keys() != fields.keys():
            raise ValueError(f"a {kind.__name__} has other fields")
        return kind(**{name: of(plain[name], beside) for name, of in fields.items()})

    return unpack


def _text(plain: Any, beside: Beside) -> str:
    return beside.text(_checked(plain, str))


def _texts(plain: Any, beside: Beside) -> dict[str, str]:
    return {beside.text(key): _text(value, beside) for key, value in _checked(plain, dict).items()}


def _checked(plain: Any, kind: type) -> Any:
    if type(plain) is not kind:
        raise ValueError(f"a {type(plain).__name__} stands where a {kind.__name__} belongs")
    return plain


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no finite number")
    return float(value)


def _number(plain: Any, _: Beside) -> float:
    if type(plain) not in (int, float):
        raise ValueError(f"a {type(plain).__name__} stands where a number belongs")
    try:
        return _finite(float(plain))
    except OverflowError:
        raise ValueError("a number is too large") from None


def _moment(plain: Any, _: Beside) -> datetime:
    moment = datetime.fromisoformat(_checked(plain, str))
    if moment.tzinfo is None:
        raise ValueError("a time has no zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time lies before the first year or after the last") from None


def _zone(plain: Any, _: Beside) -> ZoneInfo:
    try:
        return ZoneInfo(_checked(plain, str))
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("there is no such time zone") from None


def _array(plain: Any, beside: Beside) -> NDArray[Any]:
    if _checked(plain, dict).keys() != {"dtype", "shape"} or type(plain["dtype"]) is not str or plain["dtype"] not in DTYPES:
        raise ValueError("an array has a type and a shape")
    shape = tuple(_checked(side, int) for side in _checked(plain["shape"], list))
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError("an array has a height and a width")
    return beside.array(DTYPES[plain["dtype"]], shape)


def _simple(kind: type) -> Unpack:
    return lambda plain, _: _checked(plain, kind)


_SIMPLE: Mapping[Any, Unpack] = {
    str: _text,
    int: _simple(int),
    bool: _simple(bool),
    float: _number,
    datetime: _moment,
    tzinfo: _zone,
    Path: lambda plain, _: Path(_checked(plain, str)),
    bytes: lambda plain, beside: beside.content(_checked(plain, int)),
    np.ndarray: _array,
}
