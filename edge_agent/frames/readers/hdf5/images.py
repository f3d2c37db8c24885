"""Which datasets of an HDF5 file are its images: by what its layout says, else the one that is larger than all others."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.frames.readers.hdf5.tree import Tree, text
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits

PATTERNS = ("Unprocessed Patterns", "Patterns", "patterns", "Pattern", "RawPatterns", "Processed Patterns", "EBSDPatterns")
"""What EBSD programs call them (kikuchipy, EDAX, Bruker, Oxford, EMsoft); of several, what the detector delivered comes first."""
EBSD = re.compile(r"/([^/]+)/EBSD/Data/[^/]+|/EMData/EBSD/[^/]+")
MOST_UNSETTLED, MOST_CHUNKS = 256, 1024
"""Images at the end of a stack that grows that are looked at, and chunks of each."""
LEAST_BYTES_AN_IMAGE = 8
"""A file holds no more images than its length divided by this: unwritten ones cost nothing, and a few bytes could promise billions."""


@dataclass(frozen=True, slots=True)
class Images:
    """Images that lie in one dataset.

    Attributes:
        path: the dataset's.
        dataset: of two dimensions or more: (..., height, width), (..., height, width, channels), or (height, width, images).
        layout: velox, ebsd, nexus or plain: who can tell how they were taken.
        count: how many there are.
        last: whether the images follow each other along the last dimension.
    """

    path: str
    dataset: Any
    layout: str
    count: int
    last: bool = False

    def image(self, place: int) -> NDArray[Any]:
        """The image at a place."""
        if self.last:
            return np.asarray(self.dataset[:, :, place])
        leading = _leading(self.dataset, last=False)
        return np.asarray(self.dataset[np.unravel_index(place, leading)] if leading else self.dataset[()])


def find_images(tree: Tree, limits: DecodeLimits, file_bytes: int, *, growing: bool) -> list[Images]:
    """The file's images, in the order of its frames; refuses a file whose images cannot be told, or lie elsewhere."""
    found = _velox(tree, limits) or _others(tree, limits, growing=growing)
    for images in found:
        _check(tree.name, images, limits, file_bytes)
    return found


def _velox(tree: Tree, limits: DecodeLimits) -> list[Images]:
    group = tree.at("/Data/Image")
    if not tree.is_group(group):
        return []
    found = []
    for name, image in tree.children(group):
        data = tree.child(image, "Data") if tree.is_group(image) else None
        if data is None or not tree.is_dataset(data) or tree.note_elsewhere(data):
            continue
        if len(data.shape or ()) == 3 and _is_image(data, limits, last=True):
            found.append(Images(f"/Data/Image/{name}/Data", data, "velox", int(data.shape[2]), last=True))
    return found


def _others(tree: Tree, limits: DecodeLimits, *, growing: bool) -> list[Images]:
    own = [(path, found) for path, found in tree.datasets() if not tree.note_elsewhere(found)]  # before its shape: that may lie elsewhere
    here = [(path, found) for path, found in own if _is_image(found, limits) or _may_become(found, limits, growing=growing)]
    chosen, layout = _ebsd(here), "ebsd"
    if not chosen:
        chosen, layout = _nexus(tree, here), "nexus"
    if not chosen:
        if tree.elsewhere:
            files = ", ".join(tree.elsewhere[:4])
            refuse(
                tree.name,
                "unsupported",
                f"has its images in other files ({files}), and those are not opened from here",
                "let the stream include those files, and exclude this one",
            )
        extended = [(path, found) for path, found in here if growing and found.maxshape[0] is None and len(found.shape) > 2]
        chosen, layout = _largest(tree, extended or here), "nexus"  # else an early look would take a flat field for the images to come
    return [Images(path, found, layout, _settled(found, _count(found)) if growing else _count(found)) for path, found in chosen]


def _ebsd(datasets: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The patterns of every scan, in the order of the scans' names."""
    scans: dict[str, dict[str, tuple[str, Any]]] = {}
    for path, found in datasets:
        name = path.rpartition("/")[2]
        if name in PATTERNS and (match := EBSD.fullmatch(path)) is not None and len(found.shape) >= 3:
            scans.setdefault(match[1] or "", {})[name] = (path, found)
    best = {scan: min(found.items(), key=lambda item: PATTERNS.index(item[0]))[1] for scan, found in scans.items()}
    return [best[scan] for scan in sorted(best, key=_natural)]


def _nexus(tree: Tree, datasets: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The default plot's signal; else the signals of all NXdata, and the data of all NXdetector, if they are one and the same."""
    fitting = {_address(found): (path, found) for path, found in reversed(datasets)}
    for group in _default(tree):
        signal = text(group.attrs.get("signal"))
        found = tree.child(group, signal) if signal and "/" not in signal else None
        if tree.is_dataset(found) and _address(found) in fitting:
            return [fitting[_address(found)]]
    told: dict[Any, tuple[str, Any]] = {}
    for kind in ("NXdata", "NXdetector"):
        for _, group in tree.walk():
            if tree.is_group(group) and text(group.attrs.get("NX_class")) == kind:
                signal = text(group.attrs.get("signal")) or "data"
                found = tree.child(group, signal) if "/" not in signal else None
                if tree.is_dataset(found) and _address(found) in fitting:
                    told[_address(found)] = fitting[_address(found)]
        if len(told) == 1:
            return list(told.values())
    if len(told) > 1:
        _ambiguous(tree, list(told.values()))
    return []


def _default(tree: Tree) -> Iterator[Any]:
    """The group that the file would have plotted first: by the chain of its `default` attributes."""
    place = tree.root
    for _ in range(4):
        step = text(place.attrs.get("default"))
        place = tree.child(place, step) if step and "/" not in step else None
        if not tree.is_group(place):
            return
        yield place


def _largest(tree: Tree, datasets: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    in_order = sorted(datasets, key=lambda item: _bytes(item[1]), reverse=True)
    if not in_order:
        return refuse(tree.name, "unsupported", "HDF5 without a dataset that could be images", "exclude it")
    if len(in_order) > 1 and _bytes(in_order[1][1]) == _bytes(in_order[0][1]):
        _ambiguous(tree, [item for item in in_order if _bytes(item[1]) == _bytes(in_order[0][1])])
    return in_order[:1]


def _ambiguous(tree: Tree, datasets: list[tuple[str, Any]]) -> None:
    names = ", ".join(path for path, _ in datasets[:4])
    refuse(tree.name, "unsupported", f"does not say which of its datasets are the images ({names})", "name a NeXus default, or exclude it")


def _is_image(dataset: Any, limits: DecodeLimits, *, last: bool = False) -> bool:
    return _has_image_shape(dataset, limits, last=last) and math.prod(dataset.shape) > 0


def _may_become(dataset: Any, limits: DecodeLimits, *, growing: bool) -> bool:
    """Whether images will be added to a dataset that holds none yet."""
    return growing and _has_image_shape(dataset, limits) and dataset.maxshape[0] is None


def _has_image_shape(dataset: Any, limits: DecodeLimits, *, last: bool = False) -> bool:
    shape = dataset.shape
    if shape is None or len(shape) < 2 or dataset.dtype.kind not in "uifb":
        return False
    return min(_frame_shape(dataset, last=last)[:2]) >= limits.smallest_px


def _frame_shape(dataset: Any, *, last: bool) -> tuple[int, ...]:
    if last:
        return tuple(dataset.shape[:2])
    return tuple(dataset.shape[-3:] if _is_coloured(dataset) else dataset.shape[-2:])


def _is_coloured(dataset: Any) -> bool:
    """HDF5 Image Specification 1.2: true colour, channels last."""
    return len(dataset.shape) >= 3 and dataset.shape[-1] in {3, 4} and text(dataset.attrs.get("IMAGE_SUBCLASS")) == "IMAGE_TRUECOLOR"


def _leading(dataset: Any, *, last: bool) -> tuple[int, ...]:
    return tuple(dataset.shape[: len(dataset.shape) - len(_frame_shape(dataset, last=last))])


def _count(dataset: Any) -> int:
    """Images of a dataset, without those at its end that were never written: a stack may be laid out before it is taken."""
    leading = _leading(dataset, last=False)
    count = math.prod(leading)
    if count < 1 or not leading:
        return count
    if dataset.chunks is None:
        return count if dataset.id.get_offset() is not None or dataset.id.get_storage_size() else 0
    last = [int(place) for place in np.unravel_index(count - 1, leading)]
    corner = (*(place // side * side for place, side in zip(last, dataset.chunks, strict=False)), *(0 for _ in dataset.shape[len(last) :]))
    if dataset.id.get_num_chunks() and dataset.id.get_chunk_info_by_coord(corner).byte_offset is not None:
        return count
    reached = 0

    def note(chunk: Any) -> None:
        nonlocal reached
        ends = [min(begin + side, most) - 1 for begin, side, most in zip(chunk.chunk_offset, dataset.chunks, leading, strict=False)]
        reached = max(reached, int(np.ravel_multi_index(ends, leading)) + 1)

    dataset.id.chunk_iter(note)
    return reached


def _settled(dataset: Any, count: int) -> int:
    """The images of a dataset that grows without those at its end of which only some of their chunks are there yet."""
    leading, chunks = _leading(dataset, last=False), dataset.chunks
    if chunks is None or not leading:
        return count
    within = [range(0, side, chunk) for side, chunk in zip(dataset.shape[len(leading) :], chunks[len(leading) :], strict=True)]
    for last in range(count - 1, max(0, count - MOST_UNSETTLED) - 1, -1):
        first = [int(place) // chunk * chunk for place, chunk in zip(np.unravel_index(last, leading), chunks, strict=False)]
        corners = itertools.islice(itertools.product(*within), MOST_CHUNKS)
        if all(dataset.id.get_chunk_info_by_coord((*first, *corner)).byte_offset is not None for corner in corners):
            return last + 1
    return max(0, count - MOST_UNSETTLED)


def _check(name: str, images: Images, limits: DecodeLimits, file_bytes: int) -> None:
    shape = _frame_shape(images.dataset, last=images.last)
    if shape[0] * shape[1] > limits.frame_pixels:
        refuse(name, "too_large", f"{images.path} says {shape[1]} x {shape[0]} pixels, {limits.frame_pixels} in all are allowed")
    if math.prod(images.dataset.chunks or ()) * images.dataset.dtype.itemsize > limits.decoded_bytes:
        refuse(name, "too_large", f"a chunk of {images.path} comes to more than {limits.decoded_bytes} bytes")
    if images.count * LEAST_BYTES_AN_IMAGE > file_bytes:
        refuse(name, "too_large", f"{images.path} says {images.count} images, which a file of {file_bytes} bytes cannot hold")
    codes = _filters(images.dataset)
    if codes:
        refuse(name, "unsupported", f"{images.path} is compressed by {', '.join(codes)}", "run pip install '.[formats]' in the checkout")


def _filters(dataset: Any) -> list[str]:
    """The dataset's filters that are not installed."""
    import h5py  # noqa: PLC0415 - a decoder loads only what its files need

    used = dataset.id.get_create_plist()
    told = [used.get_filter(place) for place in range(used.get_nfilters())]
    return [f"HDF5 filter {code} ({text(label) or 'without a name'})" for code, _, _, label in told if not h5py.h5z.filter_avail(code)]


def _bytes(dataset: Any) -> int:
    """Of its values; a stack that is still empty counts as one image."""
    return math.prod(max(1, int(side)) for side in dataset.shape) * int(dataset.dtype.itemsize)


def _address(dataset: Any) -> Any:
    import h5py  # noqa: PLC0415 - a decoder loads only what its files need

    return h5py.h5o.get_info(dataset.id).addr


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdigit() and part.isascii() else (1, part) for part in re.split(r"([0-9]+)", name) if part]
