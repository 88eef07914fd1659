"""Turns a picture into SVG that stands inside HTML: its colours are variables, which a theme sets to others.

Words are text in the font of what is around them, names of parts are made unique, and what says nothing is left out.
The mark of a verdict becomes a link that says its numbers to a pointer, to the keyboard and to a screen reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from markupsafe import Markup

from argo_bench.report.chart import FONTS, MARK, PART, Picture, list_colours

REACH = "6"
"""A mark can be pointed at within this distance from its middle, in points."""


class Mark(NamedTuple):
    """Holds what the mark of a verdict says, the anchor that it leads to, and the verdict."""

    words: str
    anchor: str
    verdict: str


class Styles:
    """Collects the styles of drawings, which repeat a few of them thousands of times: each becomes a class."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def share(self, drawing: ElementTree.Element) -> None:
        """Put classes in the place of the styles of a drawing and of its parts."""
        for element in drawing.iter():
            if style := element.attrib.pop("style", ""):
                element.attrib["class"] = self._names.setdefault(style, f"s{len(self._names)}")

    def write_rules(self) -> Markup:
        """Return the rules of all classes, for the style sheet of the page."""
        return Markup("\n".join(f".{name} {{ {style} }}" for style, name in self._names.items()))


def make_inline(picture: Picture, name: str, marks: Sequence[Mark] = (), styles: Styles | None = None) -> Markup:
    """Return the drawing with words in the font ``--sans`` and colours as variables, such as ``--ink``.

    ``name`` is put before the names of its parts, which must be unique on a page. ``marks`` are those of all verdicts,
    in the order of the record. A mark is a group with the attribute ``data-mark``, which holds the verdict's position
    in the record, and without ``marks`` it is no link. With ``styles`` the drawing has classes instead of styles.
    """
    drawing = ElementTree.fromstring(picture.svg())
    box = drawing.attrib["viewBox"]
    _adapt(drawing, name, {hexes.lower(): each for each, hexes in list_colours("light").items()})
    links = _link_marks(drawing, marks)
    drawing.attrib = {"viewBox": box, "role": "group" if links else "img", "aria-label": picture.alt}
    if links:
        for words in drawing.iter("text"):
            words.attrib["aria-hidden"] = "true"
        drawing.extend(links)
    if styles is not None:
        styles.share(drawing)
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))


def _link_marks(drawing: ElementTree.Element, marks: Sequence[Mark]) -> list[ElementTree.Element]:
    """Say of what is drawn of a verdict which verdict that is, and return a link for the place of each mark."""
    links = []
    for drawn in drawing.iter("g"):
        kind, _, position = drawn.attrib.pop("id", "").partition("-")
        if not position:
            continue
        is_mark = f"{kind}-" == MARK
        mark = marks[int(position)] if marks else None
        drawn.attrib |= {"data-mark": position} if is_mark else {}
        if mark is not None:
            drawn.attrib |= {"class": "part", "data-word": mark.verdict}
            place = drawn.find(".//use")
            if is_mark and place is not None:
                links.append(_make_link(mark, place.attrib))
    return links


def _make_link(mark: Mark, place: Mapping[str, str]) -> ElementTree.Element:
    link = ElementTree.Element("a", {"href": f"#{mark.anchor}", "class": "mark", "aria-label": mark.words})
    ElementTree.SubElement(link, "title").text = mark.words
    ElementTree.SubElement(link, "circle", {"cx": place["x"], "cy": place["y"], "r": REACH})
    return link


def _adapt(element: ElementTree.Element, prefix: str, names: Mapping[str, str]) -> None:
    """Dissolve groups that say nothing, put ``prefix`` before the names of shapes, and give numbers two decimals."""
    element.tag = _strip_namespace(element.tag)
    kept: list[ElementTree.Element] = []
    for child in element:
        _adapt(child, prefix, names)
        if child.tag == "g" and not child.attrib:
            kept += child
        elif child.tag not in ("metadata", "style"):
            kept.append(child)
    element[:] = kept
    element.tail = None
    if element.tag not in ("text", "tspan"):
        element.text = None
    element.attrib = {
        _strip_namespace(key): _adapt_value(value, prefix, names)
        for key, value in element.attrib.items()
        if not _is_idle(element.tag, key, value)
    }


def _is_idle(tag: str, key: str, value: str) -> bool:
    """Say whether an attribute changes nothing: the name of a group that is not a verdict's, or a turn by no angle."""
    return (tag == "g" and key == "id" and not value.startswith((MARK, PART))) or value.startswith("rotate(-0 ")


def _strip_namespace(name: str) -> str:
    """Return a name without its XML namespace, which HTML takes for granted."""
    return name.rpartition("}")[2]


def _adapt_value(value: str, prefix: str, names: Mapping[str, str]) -> str:
    value = re.sub(r"^#(?=[mp][0-9a-f]{10})|^(?=[mp][0-9a-f]{10}$)|(?<=url\(#)", lambda at: f"{at[0]}{prefix}-", value)
    value = re.sub(r"#[0-9a-f]{6}\b", lambda found: f"var(--{names[found[0]]})", value)
    value = re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", value)
    return re.sub(r"\s+", " ", value.replace(FONTS, "var(--sans)")).strip()
