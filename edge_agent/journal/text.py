"""File names are not always Unicode; the journal must know them all the same."""

from __future__ import annotations


def stored(name: str) -> str | bytes:
    r"""A name as SQLite takes it: text, or the bytes of a name that is no valid Unicode.

    >>> stored("a.tif"), stored("\udcff.tif")
    ('a.tif', b'\xed\xb3\xbf.tif')
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogatepass")
    return name


def restored(value: str | bytes) -> str:
    """The name that `stored` took."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")
