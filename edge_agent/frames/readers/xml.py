"""XML of any origin as a small tree: no DTD, hence no entity but the five that XML has, and bounded size, depth and number of elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_BYTES = 8 << 20
MOST_ELEMENTS = 200_000
DEEPEST = 64


class XmlError(ValueError):
    """A text is no XML that is read: malformed, too large, or with a DTD, in which entities multiply or name other files."""


def parse_xml(content: bytes) -> Element:
    """The root element; tags and attributes by their local names, whatever namespace they are in. Raises XmlError.

    >>> parse_xml(b'<a xmlns="urn:x"><x:b xmlns:x="urn:y" n="1">2 &amp; 3</x:b></a>').find("b").text
    '2 & 3'
    """
    from xml.etree.ElementTree import TreeBuilder  # noqa: PLC0415 - only its element; the parser is the one below
    from xml.parsers import expat  # noqa: PLC0415 - what is dangerous in it is refused below

    if len(content) > MOST_BYTES:
        raise XmlError(f"{len(content)} bytes of XML, {MOST_BYTES} are allowed")
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    depth = count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > DEEPEST or count > MOST_ELEMENTS:
            raise XmlError(f"more than {DEEPEST} levels or {MOST_ELEMENTS} elements of XML")
        builder.start(_local(tag), {_local(name): value for name, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_local(tag))

    def refuse_dtd(*_: Any) -> None:
        raise XmlError("XML with a DTD")

    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse_dtd
    parser.EntityDeclHandler = refuse_dtd
    try:
        parser.Parse(content, True)  # noqa: FBT003 - its second argument has no name
        return builder.close()
    except expat.ExpatError as error:
        raise XmlError(f"malformed XML ({error})") from None
    except (LookupError, UnicodeError) as error:  # an encoding that there is not, or that is none of text
        raise XmlError(f"XML in an unknown encoding ({error})") from None


def _local(name: str) -> str:
    return name.rpartition(":")[2]
