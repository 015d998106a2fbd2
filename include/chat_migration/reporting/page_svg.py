"""Drawings by matplotlib as inline SVG that takes fonts and colours from the page around it.

Importing this module loads matplotlib; nothing here reads or changes its global settings.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from chat_migration.model import Outcome
from chat_migration.reporting.page_text import shortened, visible

NARROW = 344
"""The width of a drawing for phones, CSS pixels."""
BAR = 18.0
"""The height of a bar."""
_FONT_SIZE = 13.0
_AXIS = 26.0
_LONGEST_NAME = 26
_BASELINE = 0.36
"""How far below its middle a text stands, in font sizes."""
_PER_INCH = 72
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_PLAIN = {"Format": None, "Type": None, "Creator": None, "Date": None}
_NAMES = ("ink", "muted", "line", "card", "accent", *(f"outcome-{name}" for name in Outcome))
_COLOURS = {name: f"#0000{number:02x}" for number, name in enumerate(_NAMES, start=1)}
_VARIABLES = {colour: f"var(--{name})" for name, colour in _COLOURS.items()}
_COLOUR = re.compile(r"(?<=(?:fill|roke): )#[0-9a-f]{6}")
_ID = re.compile(r' id="[^"]*"')
_BODY = re.compile(r"<svg[^>]*?viewBox=\"([^\"]*)\"[^>]*>(.*)</svg>", re.DOTALL)
_STYLE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def colour(name: str) -> str:
    """Return the stand-in for a colour of the page; unknown outcomes are muted."""
    return _COLOURS.get(name, _COLOURS["muted"])


@dataclass(frozen=True)
class Lanes:
    """Rows of a plot, one below the other; narrow ones carry their texts above what is drawn.

    Sizes are CSS pixels; ``margin`` is the room for the names on the left.
    """

    figure: Figure
    axes: Axes
    count: int
    height: float
    margin: float
    narrow: bool

    @classmethod
    def of(
        cls,
        count: int,
        width: float,
        *,
        height: float,
        left: float,
        right: float,
        axis: bool = True,
    ) -> Lanes:
        """Return ``count`` empty rows; on narrow drawings the margins give way to the plot."""
        if narrow := width <= NARROW:
            height, left, right = height + 16, 1, 1
        below = _AXIS if axis else 2.0
        total = count * height + below
        figure = Figure(figsize=(width / _PER_INCH, total / _PER_INCH), dpi=_PER_INCH)
        figure.patch.set_visible(False)
        area = (left / width, below / total, (width - left - right) / width, 1 - below / total)
        axes = figure.add_axes(area)
        axes.set_axis_off()
        axes.set_ylim(count * height, 0)
        return cls(figure, axes, count, height, left, narrow)

    def top(self, row: int) -> float:
        """Return where the drawing of a row begins: below the texts, if they stand above it."""
        return row * self.height + (20 if self.narrow else 0)

    def middle(self, row: int) -> float:
        """Return where the middle of a row's bar is."""
        return self.top(row) + BAR / 2 if self.narrow else (row + 0.5) * self.height

    def texts(self, row: int, name: str, value: str) -> None:
        """Write what stands before and behind a row, or above it."""
        place = row * self.height + (10 if self.narrow else self.height / 2)
        left, right = self.axes.get_xlim()
        pixel = (right - left) / float(self.axes.get_window_extent().width)
        start = left - self.margin * pixel
        self._write(start, place, shortened(visible(name), _LONGEST_NAME), "left")
        end, side = (right, "right") if self.narrow else (right + 12 * pixel, "left")
        self._write(end, place, value, side, "muted")

    def tick(self, x: float, text: str) -> None:
        """Write a text below all rows, and draw the line that leads to it where there is room."""
        bottom, side = self.count * self.height, "center"
        if self.narrow:
            left, right = self.axes.get_xlim()
            side = {left: "left", right: "right"}.get(x, side)
        else:
            self.axes.vlines(
                x, 0, bottom, color=colour("line"), linewidth=1, zorder=0, clip_on=False
            )
        self._write(x, bottom + 14, text, side, "muted")

    def _write(self, x: float, y: float, text: str, side: str, name: str = "ink") -> None:
        """Write a text as it is: what looks like a formula is none."""
        self.axes.text(
            x,
            y,
            text,
            ha=side,
            va="center",
            color=colour(name),
            fontsize=_FONT_SIZE,
            parse_math=False,
        )


def svg(figure: Figure, *, label: str, css_class: str) -> Markup:
    """Return the drawing as an SVG element with an alternative text."""
    buffer = io.StringIO()
    width, height = (float(size) * _PER_INCH for size in figure.get_size_inches())
    renderer = _Renderer(width, height, buffer, metadata=dict(_PLAIN))  # type: ignore[no-untyped-call]
    figure.draw(renderer)
    renderer.finalize()  # type: ignore[no-untyped-call]
    found = _BODY.search(buffer.getvalue())
    assert found, "the renderer writes one svg element"  # noqa: S101
    body = _COMMENT.sub("", _STYLE.sub("", found[2]))
    body = _COLOUR.sub(lambda match: _VARIABLES.get(match[0], match[0]), _ID.sub("", body))
    body = re.sub(r"\s*\n\s*", "\n", body).strip()
    named = f'class="{escape(css_class)}" role="img" aria-label="{escape(label)}"'
    sized = f'viewBox="{found[1]}" style="max-width:{width:.0f}px"'
    return Markup(f"<svg {named} {sized}>\n{body}\n</svg>")  # noqa: S704 - texts are escaped


class _Renderer(RendererSVG):
    """Writes texts as texts, in the page's font, anchored where they were put."""

    def draw_text(  # noqa: PLR0917 - the renderer's own signature
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: object = False,  # noqa: FBT002 - matplotlib's signature
        mtext: Text | None = None,
    ) -> None:
        """Write one text."""
        del angle, ismath
        anchor = "start"
        if mtext is not None:
            anchor = _ANCHORS[mtext.get_horizontalalignment()]
            x, y = mtext.get_transform().transform(mtext.get_unitless_position())
        size = prop.get_size_in_points()
        attributes = {
            "x": f"{x:.1f}",
            "y": f"{self.height - y + _BASELINE * size:.1f}",
            "text-anchor": anchor,
            "style": f"fill: {to_hex(gc.get_rgb())}; font-size: {size:g}px",
        }
        self.writer.element("text", s, attrib=attributes)  # type: ignore[no-untyped-call]
