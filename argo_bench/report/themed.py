"""Shows a picture in a notebook in the colours of the theme around it, light or dark.

Themes are those of JupyterLab, of Visual Studio Code and of Colab; elsewhere that of the reader's system counts.
"""

from __future__ import annotations

import hashlib

from argo_bench.report.chart import FONTS, Picture, list_colours
from argo_bench.report.inline import make_inline

CLASS = "argo-figure"
IS_DARK = ('[data-jp-theme-light="false"]', ".vscode-dark", 'html[theme="dark"]')
"""These selectors match what is around a figure in the dark themes of notebooks."""
IS_ELSEWHERE = 'body:not([data-jp-theme-light]):not([class*="vscode"])'
"""This one matches a page that is no notebook, such as an exported one."""


def make_themed(picture: Picture) -> str:
    """Return the drawing as HTML with a style sheet of its own, by which it follows the theme."""
    name = f"f{hashlib.sha256(picture.svg()).hexdigest()[:8]}"
    width = 100 * picture.figure.get_figwidth()
    style = f"<style>{_write_theme()}</style>"
    return f'<div class="{CLASS}" style="max-width:{width:.0f}px">{style}{make_inline(picture, name)}</div>'


def _write_theme() -> str:
    """Return a style sheet that sets the variables of a drawing for the theme around it."""
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in list_colours(theme).items()) for theme in ("light", "dark")
    )
    in_dark = ",".join(f"{each} .{CLASS}" for each in IS_DARK)
    return (
        f".{CLASS}{{--sans:{FONTS};{light}}}.{CLASS} svg{{display:block;width:100%;height:auto}}{in_dark}{{{dark}}}"
        f"@media (prefers-color-scheme: dark){{{IS_ELSEWHERE} .{CLASS}{{{dark}}}}}"
    )
