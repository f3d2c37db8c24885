"""HDF5 that leads elsewhere: links that loop or leave the file, datasets that live in other files, chunks that unpack to gigabytes.

A hostile file must not make the agent read another one: the others are canaries, and a bench notices when one is opened.
"""

from __future__ import annotations

import io
import zlib
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.hostile.seed import CannotBeMadeError, Hostile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hostile.seed import Seed

SIGNATURE = b"\x89HDF\r\n\x1a\n"
CANARY = "canary"
"""How the names of files begin that nobody may open."""
SECRET = np.random.default_rng(99).integers(1, 255, (64, 64), dtype=np.uint8)
MOST_DATASETS = 4


def hdf5(seed: Seed) -> Iterator[Hostile]:
    """The seed with its images replaced in each way; nothing where h5py is not installed or the seed is no HDF5 file."""
    try:
        import h5py
    except ImportError:
        return
    if not seed.content.startswith(SIGNATURE):
        return
    for how, change in WAYS.items():
        yield Hostile(seed, "hdf5", how, partial(_changed, h5py, seed.content, change), seed.beside)


@cache
def canaries() -> dict[str, bytes]:
    """The files that nobody may open, by name; none where h5py is not installed."""
    try:
        import h5py
    except ImportError:
        return {}
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file["secret"] = SECRET
        file["one"] = SECRET.astype(np.float32)
    return {f"{CANARY}.h5": target.getvalue(), f"{CANARY}.raw": SECRET.tobytes()}


def _changed(h5py: Any, content: bytes, change: Callable[[Any, Any, str], None]) -> bytes:
    target = io.BytesIO(content)
    found: list[tuple[int, str]] = []

    def see(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset) and thing.ndim >= 2 and thing.dtype.kind in "iuf":
            found.append((-thing.size, name))

    try:
        with h5py.File(target, "r+") as file:
            file.visititems(see)
            for _, name in sorted(found)[:MOST_DATASETS]:
                change(h5py, file, name)
    except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
        raise CannotBeMadeError(str(error)) from error
    return target.getvalue()


def _link_outside(h5py: Any, file: Any, name: str) -> None:
    _put(file, name, h5py.ExternalLink(f"{CANARY}.h5", "/secret"))


def _link_outside_by_parent(h5py: Any, file: Any, name: str) -> None:
    parent, _, last = name.rpartition("/")
    if parent:
        del file[parent]
        file[parent] = h5py.ExternalLink(f"{CANARY}.h5", "/")
    else:
        _put(file, last, h5py.ExternalLink(f"{CANARY}.h5", "/secret"))


def _link_to_system(h5py: Any, file: Any, name: str) -> None:
    _put(file, name, h5py.ExternalLink("/dev/zero", "/"))


def _link_to_itself(h5py: Any, file: Any, name: str) -> None:
    _put(file, name, h5py.SoftLink(f"/{name}"))


def _link_in_a_ring(h5py: Any, file: Any, name: str) -> None:
    _put(file, name, h5py.SoftLink(f"/{name} other"))
    file[f"{name} other"] = h5py.SoftLink(f"/{name}")


def _group_within_itself(_: Any, file: Any, name: str) -> None:
    parent = file[name].parent
    parent["again"] = parent
    parent["root"] = file["/"]


def _virtual(h5py: Any, file: Any, name: str) -> None:
    shape = file[name].shape
    layout = h5py.VirtualLayout(shape=shape, dtype="u1")
    layout[(0,) * (len(shape) - 2) + (slice(0, 64), slice(0, 64))] = h5py.VirtualSource(f"{CANARY}.h5", "secret", shape=(64, 64))
    attributes = dict(file[name].attrs)
    del file[name]
    file.create_virtual_dataset(name, layout, fillvalue=7).attrs.update(attributes)


def _stored_outside(_: Any, file: Any, name: str) -> None:
    _anew(file, name, shape=(64, 64), dtype="u1", external=[(f"{CANARY}.raw", 0, 4096)])


def _stored_in_a_system_file(_: Any, file: Any, name: str) -> None:
    _anew(file, name, shape=(64, 64), dtype="u1", external=[("/etc/passwd", 0, 4096)])


def _huge(_: Any, file: Any, name: str) -> None:
    _anew(file, name, shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1024, 1024), compression="gzip")


def _many(_: Any, file: Any, name: str) -> None:
    _anew(file, name, shape=(1 << 31, 64, 64), dtype="f8", chunks=(1, 64, 64))


def _empty(_: Any, file: Any, name: str) -> None:
    _anew(file, name, shape=(0, 64, 64), dtype="u1", chunks=(1, 64, 64), maxshape=(None, 64, 64))


def _one_chunk(h5py: Any, file: Any, name: str) -> None:
    """A chunk of a gigabyte, packed in a megabyte."""
    made = _anew(file, name, shape=(16_384, 65_536), dtype="u1", chunks=(16_384, 65_536), compression="gzip")
    made.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 20)) * 1)


def _bomb_in_a_chunk(h5py: Any, file: Any, name: str) -> None:
    from tests.hostile.bombs import deflated_zeros

    made = _anew(file, name, shape=(64, 64), dtype="u1", chunks=(64, 64), compression="gzip")
    made.id.write_direct_chunk((0, 0), deflated_zeros(2048))


def _stack_of_bombs(h5py: Any, file: Any, name: str) -> None:
    made = _anew(file, name, shape=(2000, 4096, 4096), dtype="u2", chunks=(1, 4096, 4096), compression="gzip")
    packed = zlib.compress(bytes(4096 * 4096 * 2), 9)
    for number in range(40):
        made.id.write_direct_chunk((number, 0, 0), packed)


def _noise_in_a_chunk(_: Any, file: Any, name: str) -> None:
    made = _anew(file, name, shape=(64, 64), dtype="u1", chunks=(64, 64), compression="gzip", shuffle=True, fletcher32=True)
    made.id.write_direct_chunk((0, 0), SECRET.tobytes())


def _unknown_filter(h5py: Any, file: Any, name: str) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((64, 64))
    plist.set_filter(65_000, h5py.h5z.FLAG_OPTIONAL, ())
    del file[name]
    space = h5py.h5s.create_simple((64, 64))
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_UINT8, space, plist, _intermediate(h5py))


def _compound(_: Any, file: Any, name: str) -> None:
    del file[name]
    file.create_dataset(name, data=np.zeros((64, 64), [("a", "f4"), ("b", "S8")]))


def _texts(h5py: Any, file: Any, name: str) -> None:
    del file[name]
    file.create_dataset(name, data=np.full((64, 64), "x" * 10, object), dtype=h5py.string_dtype())


def _references(h5py: Any, file: Any, name: str) -> None:
    del file[name]
    made = file.create_dataset(name, (64, 64), dtype=h5py.ref_dtype)
    made[0, 0] = made.ref


def _floats_that_are_none(_: Any, file: Any, name: str) -> None:
    _put(file, name, np.full((64, 64), np.nan))


def _long_attributes(h5py: Any, file: Any, name: str) -> None:
    for number in range(20):
        file[name].attrs.create(f"a{number}", "x" * 60_000, dtype=h5py.string_dtype())
    file.create_dataset(f"{name} about", data="y" * (16 << 20), dtype=h5py.string_dtype())


def _every_text_is_long(h5py: Any, file: Any, _: str) -> None:
    names: list[str] = []
    file.visititems(lambda name, thing: names.append(name) if getattr(thing, "shape", None) == () and thing.dtype.kind in "OS" else None)
    for name in names:
        _put(file, name, "z" * (2 << 20))


def _every_number_is_none(h5py: Any, file: Any, _: str) -> None:
    names: list[str] = []
    file.visititems(lambda name, thing: names.append(name) if getattr(thing, "size", 0) == 1 and thing.dtype.kind in "iuf" else None)
    for number, name in enumerate(names):
        _put(file, name, [np.nan, np.inf, 1e308, -1e308, 0.0, 5e-324][number % 6])


def _many_groups(_: Any, file: Any, name: str) -> None:
    for number in range(5_000):
        file.create_group(f"{name} g{number}")


def _deep_groups(_: Any, file: Any, name: str) -> None:
    group = file.require_group("deep")
    for _depth in range(500):
        group = group.create_group("deep")
    group[name.rpartition("/")[2]] = SECRET


def _intermediate(h5py: Any) -> Any:
    plist = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    plist.set_create_intermediate_group(True)
    return plist


def _put(file: Any, name: str, value: Any) -> None:
    attributes = dict(file[name].attrs)
    del file[name]
    file[name] = value
    if isinstance(value, (np.ndarray, float, str)):
        file[name].attrs.update(attributes)


def _anew(file: Any, name: str, **about: Any) -> Any:
    attributes = dict(file[name].attrs)
    del file[name]
    made = file.create_dataset(name, **about)
    made.attrs.update(attributes)
    return made


WAYS: dict[str, Callable[[Any, Any, str], None]] = {
    "images are links to another file": _link_outside,
    "their group is a link to another file": _link_outside_by_parent,
    "images are links to a device": _link_to_system,
    "images are links to themselves": _link_to_itself,
    "images are links in a ring": _link_in_a_ring,
    "groups hold themselves": _group_within_itself,
    "images are virtual, from another file": _virtual,
    "images are stored in another file": _stored_outside,
    "images are stored in a system file": _stored_in_a_system_file,
    "images of four terabytes": _huge,
    "two thousand million images": _many,
    "no image at all": _empty,
    "one chunk of a gigabyte, cut short": _one_chunk,
    "a chunk that unpacks to two gigabytes": _bomb_in_a_chunk,
    "two thousand images that unpack a thousandfold": _stack_of_bombs,
    "a chunk of noise": _noise_in_a_chunk,
    "a filter that nobody has": _unknown_filter,
    "images of records": _compound,
    "images of texts": _texts,
    "images of references": _references,
    "images of no numbers": _floats_that_are_none,
    "attributes of megabytes": _long_attributes,
    "every text has two megabytes": _every_text_is_long,
    "every number is none": _every_number_is_none,
    "five thousand groups more for each image": _many_groups,
    "groups five hundred deep": _deep_groups,
}
