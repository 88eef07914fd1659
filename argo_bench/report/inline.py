"""Turns a picture into SVG that stands inside HTML: its colours are variables, which a theme sets to others.

Words are text in the font of what is around them, names of parts are made unique, and what says nothing is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from markupsafe import Markup

from argo_bench.report.chart import FONTS, MARK, Picture, list_colours


def make_inline(picture: Picture, name: str) -> Markup:
    """Return the drawing with words in the font ``--sans`` and colours as variables, such as ``--ink``.

    ``name`` is put before the names of its parts, which must be unique on a page. The mark of a verdict is a group with
    the attribute ``data-mark``, which holds the verdict's position in the record.
    """
    drawing = ElementTree.fromstring(picture.svg())
    box = drawing.attrib["viewBox"]
    _adapt(drawing, name, {hexes.lower(): each for each, hexes in list_colours("light").items()})
    drawing.attrib = {"viewBox": box, "role": "img", "aria-label": picture.alt}
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))


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
    is_group = element.tag == "g"
    mark = element.attrib.get("id", "") if is_group else ""
    element.attrib = {
        _strip_namespace(key): _adapt_value(value, prefix, names)
        for key, value in element.attrib.items()
        if not (key == "id" and is_group) and not value.startswith("rotate(-0 ")
    }
    if mark.startswith(MARK):
        element.attrib["data-mark"] = mark.removeprefix(MARK)


def _strip_namespace(name: str) -> str:
    """Return a name without its XML namespace, which HTML takes for granted."""
    return name.rpartition("}")[2]


def _adapt_value(value: str, prefix: str, names: Mapping[str, str]) -> str:
    value = re.sub(r"^#(?=[mp][0-9a-f]{10})|^(?=[mp][0-9a-f]{10}$)|(?<=url\(#)", lambda at: f"{at[0]}{prefix}-", value)
    value = re.sub(r"#[0-9a-f]{6}\b", lambda found: f"var(--{names[found[0]]})", value)
    value = re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", value)
    return re.sub(r"\s+", " ", value.replace(FONTS, "var(--sans)")).strip()
