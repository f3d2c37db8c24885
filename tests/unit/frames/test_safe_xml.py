"""XML in vendors' files comes from anywhere: it is read without entities, and only so much of it."""

import doctest

import pytest

from edge_agent.frames.readers import xml
from edge_agent.frames.readers.xml import DEEPEST, MOST_ELEMENTS, XmlError, parse_xml

LAUGHS = b'<!DOCTYPE a [<!ENTITY b "haha"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>'


def test_elements_are_found_by_their_local_names_whatever_their_namespace() -> None:
    root = parse_xml('<?xml version="1.0" encoding="UTF-16"?><r xmlns="u"><p:a xmlns:p="v" p:n="1">5 µm</p:a></r>'.encode("utf-16"))
    assert [(one.tag, one.get("n"), one.text) for one in root] == [("a", "1", "5 µm")]


@pytest.mark.parametrize(
    "content",
    [
        LAUGHS,
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        b"<!DOCTYPE a><a/>",
        b"<a>&b;</a>",
        b"<a>",
        b"<a/><b/>",
        b"",
        b"\x00" * 100,
        b"<a b='1' b='2'/>",
        b"<?xml version='1.0' encoding='rot13'?><a/>",
        b"<?xml version='1.0' encoding='no-such'?><a/>",
        b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1),
        b"<a>" + b"<b/>" * MOST_ELEMENTS + b"</a>",
        b"<a>" + b" " * xml.MOST_BYTES + b"</a>",
    ],
    ids=lambda content: repr(content[:40]),
)
def test_whatever_is_malformed_too_much_or_declares_entities_is_refused(content: bytes) -> None:
    with pytest.raises(XmlError):
        parse_xml(content)


def test_the_examples_hold() -> None:
    assert doctest.testmod(xml).failed == 0
