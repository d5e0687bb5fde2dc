"""XMP packets flattened to names such as "xmpMM:History[1]/stEvt:action".

Source: ISO 16684-1 (XMP). Packets are strangers' XML: markup declarations are refused before any parser
sees them, and depth, size and number of elements are capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from ifdl.intake.exif import shorten

MOST_BYTES = 4 << 20
MOST_DEPTH = 32
MOST_ELEMENTS = 20_000
MOST_ENTRIES = 400
MOST_ITEMS = 60  # of one list: hundreds of ancestors must not crowd out what follows
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
XML = "{http://www.w3.org/XML/1998/namespace}"
PREFIXES = {
    "adobe:ns:meta/": "x",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://ns.adobe.com/xap/1.0/sType/ResourceRef#": "stRef",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/camera-raw-settings/1.0/": "crs",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://ns.google.com/photos/1.0/camera/": "GCamera",
    "http://ns.google.com/photos/1.0/image/": "GImage",
    "http://ns.google.com/photos/1.0/creations/": "GCreations",
    "http://ns.adobe.com/hdr-gain-map/1.0/": "hdrgm",
    "http://ns.apple.com/adjustment-settings/1.0/": "aas",
    "http://darktable.sf.net/": "darktable",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
    "http://www.gimp.org/xmp/": "GIMP",
    "http://www.metadataworkinggroup.com/schemas/regions/": "mwg-rs",
    "http://ns.microsoft.com/photo/1.0/": "MicrosoftPhoto",
    "http://purl.org/dc/terms/": "dcterms",
}


class Refused(ValueError):
    """The packet is not XMP that should be parsed."""


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree, counting depth and elements as it goes."""

    depth = elements = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self.depth += 1
        self.elements += 1
        if self.depth > MOST_DEPTH or self.elements > MOST_ELEMENTS:
            raise Refused("it is nested or stuffed beyond reason")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)


def statements(packet: bytes | str) -> Iterator[tuple[str, str]]:
    """(name, value) of every leaf of the packet, in file order. Raises Refused or ElementTree.ParseError."""
    text = _text(packet)
    if re.search(r"<!(?!--|\[CDATA\[)", text):
        raise Refused("it holds a markup declaration")
    parser = ElementTree.XMLParser(target=_Builder())
    # The text is decoded already: its own declaration of an encoding must not be believed again.
    parser.feed(re.sub(r"^\s*<\?xml[^>]*\?>", "", text).strip())
    root = parser.close()
    prefixes = {
        uri: prefix for prefix, uri in re.findall(r"xmlns:([\w.-]{1,40})\s*=\s*[\"']([^\"']+)", text)
    } | PREFIXES
    toolkit = root.get("{adobe:ns:meta/}xmptk")
    if toolkit:
        yield "x:xmptk", shorten(toolkit)
    count = 0
    for rdf in root.iter(f"{RDF}RDF"):
        for description in rdf:
            for name, value in _properties(description, "", prefixes):
                yield name, shorten(value, 2000)
                count += 1
                if count >= MOST_ENTRIES:
                    return


def _text(packet: bytes | str) -> str:
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "replace")
    if len(packet) > MOST_BYTES:
        raise Refused(f"it is {len(packet):,} bytes long")
    head = packet[:4]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = packet.decode("utf-16", "replace")
    elif head[:2] in (b"\0<", b"<\0"):
        text = packet.decode("utf-16-le" if head[:1] == b"<" else "utf-16-be", "replace")
    else:
        text = packet.decode("utf-8-sig", "replace")
    return text.strip("\0 \r\n\t\ufeff")


def _properties(node: ElementTree.Element, path: str, prefixes: dict[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in node.attrib.items():
        if not key.startswith((RDF, XML)) and key.startswith("{"):
            yield path + _short(key, prefixes), value
    for child in node:
        if isinstance(child.tag, str):
            yield from _property(child, path + _short(child.tag, prefixes), prefixes)


def _property(node: ElementTree.Element, path: str, prefixes: dict[str, str]) -> Iterator[tuple[str, str]]:
    container = next((c for c in node if c.tag in (f"{RDF}Seq", f"{RDF}Bag", f"{RDF}Alt")), None)
    if container is not None:
        for number, item in enumerate(container.findall(f"{RDF}li")[:MOST_ITEMS], 1):
            yield from _property(item, f"{path}[{number}]", prefixes)
        return
    resource = node.get(f"{RDF}resource")
    if resource is not None:
        yield path, resource
    inner = node.find(f"{RDF}Description")
    structure = inner if inner is not None else node
    value = structure.find(f"{RDF}value")
    if value is not None:
        yield path, (value.text or "").strip()
        return
    yield from _properties(structure, path + "/", prefixes)
    text = (node.text or "").strip()
    if text and not len(node):
        yield path, text


def _short(tag: str, prefixes: dict[str, str]) -> str:
    uri, _, local = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
    return f"{prefixes.get(uri, uri)[:80]}:{local[:80]}" if uri else local[:80]
