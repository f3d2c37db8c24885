"""HDF5 with images in it: NeXus with detector stacks, Velox EMD, EBSD patterns, and any file whose largest dataset is plainly its images.

Read by h5py, with hdf5plugin for the detectors' compressions; never beyond the file itself. A file that its writer keeps open for readers
(SWMR) is followed while it grows.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from edge_agent.frames.reader import HEAD_BYTES, Stack, all_pages, needs
from edge_agent.frames.readers.counts import counted
from edge_agent.frames.readers.hdf5.superblock import LONGEST, SIGNATURE, parse, place_of
from edge_agent.frames.share import open_shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source
    from edge_agent.frames.readers.hdf5.images import Images
    from edge_agent.frames.readers.hdf5.superblock import Superblock
    from edge_agent.frames.readers.hdf5.tree import Tree

CHUNK_CACHE_BYTES = 256 << 20
"""Images that share a chunk are decompressed once; a decoder's memory is bounded otherwise."""


class Hdf5Reader:
    """HDF5; a FollowedReader."""

    name = "HDF5"
    suffixes = (".h5", ".hdf5", ".hdf", ".nxs", ".nx5", ".nexus", ".emd", ".h5oina", ".he5")
    rule = "no program has it open to write, and it is as long as its superblock says; one kept open for readers (SWMR) is followed"
    by_path = True
    library = "h5py"
    read = all_pages

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By the signature, at the beginning or behind a user block of 512 bytes."""
        return place_of(head) is not None

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether data are missing at its end, or a program has it open to write and nobody can read it meanwhile."""
        superblock = _superblock(file)
        if superblock.open_to_write:
            return not superblock.readable_meanwhile
        return superblock.end > size

    def is_followed(self, file: BinaryIO) -> bool:
        """Whether its writer keeps it open for readers."""
        return _superblock(file).readable_meanwhile

    @contextmanager
    def stack(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Stack]:
        """Its images: those of each dataset after those of the one before."""
        try:
            import h5py  # noqa: PLC0415 - a decoder loads only what its files need
        except ImportError:
            needs(source.name, "HDF5", "h5py")
        _load_compressions()
        from edge_agent.frames.readers.hdf5.images import find_images  # noqa: PLC0415 - as above
        from edge_agent.frames.readers.hdf5.tree import Tree  # noqa: PLC0415 - as above

        with open_shared(source.path) as raw:
            superblock = _superblock(raw)
        growing = superblock.readable_meanwhile
        swmr = superblock.open_to_write  # read-only all the same; h5py opens such a file in no other way
        with h5py.File(source.path, "r", locking=False, swmr=swmr, rdcc_nbytes=CHUNK_CACHE_BYTES) as file:
            tree = Tree(file, source.name)
            found = find_images(tree, limits, Path(source.path).stat().st_size, growing=growing)
            ends = list(itertools.accumulate(images.count for images in found))
            tellers = [_teller(tree, images, time_zone) for images in found]

            def page(place: int) -> Page:
                part = next(part for part, end in enumerate(ends) if place < end)
                within = place - (ends[part] - found[part].count)
                return tellers[part](within)

            yield Stack(ends[-1] if ends else 0, page, growing)


HDF5 = Hdf5Reader()


def _superblock(file: Any) -> Superblock:
    file.seek(0)
    head = file.read(HEAD_BYTES) or b""
    place = place_of(head)
    return parse(head[place : place + LONGEST] if place is not None else SIGNATURE)


def _load_compressions() -> None:
    try:
        import hdf5plugin  # noqa: F401, PLC0415 - to import it is to register them
    except ImportError:  # images compressed by them are refused by name
        return


def _teller(tree: Tree, images: Images, time_zone: tzinfo | None) -> Callable[[int], Page]:
    """What reads one of a dataset's images and says how it was taken."""
    if images.layout == "velox":
        from edge_agent.frames.readers.hdf5.velox import read_velox  # noqa: PLC0415 - as above

        return lambda place: read_velox(tree, images, place).page(images.image(place))
    if images.layout == "ebsd":
        from edge_agent.frames.readers.hdf5.ebsd import place_in_scan, read_ebsd  # noqa: PLC0415 - as above

        record = read_ebsd(tree, images, time_zone)
        return lambda place: record.page(images.image(place), more=place_in_scan(tree, images, place))
    from edge_agent.frames.readers.hdf5.nexus import read_nexus  # noqa: PLC0415 - as above

    taken, saturated = read_nexus(tree, images, time_zone)

    def page(place: int) -> Page:
        counts, tally = counted(images.image(place), saturated)
        return taken.page(counts, more=tally)

    return page
