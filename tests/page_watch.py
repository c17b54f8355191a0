"""What a page shows from frame to frame, and how long it takes until a control has been answered.

Both are looked at from within the page: a look from outside would come late and cost time.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image
from playwright.sync_api import Error, Locator, Page

__all__ = ["Latency", "Seen", "Watch"]

_FRAMES_BEGIN = """
root => {
    const seen = {frames: 0, missing: 0, heights: [], repaints: -1, watching: true};
    const there = root.querySelectorAll('img.widget-image').length;
    let shown = '';
    const look = () => {
        if (!seen.watching) return;
        const pictures = [...root.querySelectorAll('img.widget-image')];
        const small = pictures.some(picture => picture.getBoundingClientRect().height < 50);
        seen.frames += 1;
        seen.missing += pictures.length < there || small;
        seen.heights.push(root.getBoundingClientRect().height);
        const now = pictures.map(picture => picture.src).join();
        seen.repaints += now !== shown;
        shown = now;
        requestAnimationFrame(look);
    };
    window.flowlensFrames = seen;
    requestAnimationFrame(look);
}"""

_FRAMES_END = """
() => {
    const seen = window.flowlensFrames;
    seen.watching = false;
    const jump = Math.max(...seen.heights) - Math.min(...seen.heights);
    return {frames: seen.frames, missing: seen.missing, repaints: seen.repaints, jump};
}"""

# Small enough not to slow down what is looked at.
_SCREENCAST = {"format": "jpeg", "quality": 50, "maxWidth": 750, "maxHeight": 850}

#: Darker than this, from 0 to 255, is ink on a white page.
_INK = 200

# The clock begins with the key or click itself, and ends with the frame that shows the last change of picture or line.
# A canvas is told anew what its words are whenever it is drawn.
_LATENCY = """
() => {
    const seen = {began: null, ended: null};
    const changed = () => requestAnimationFrame(() => { seen.ended = performance.now(); });
    for (const kind of ['keydown', 'mousedown']) {
        document.addEventListener(kind, event => { seen.began ??= event.timeStamp; }, {capture: true});
    }
    document.addEventListener('pointermove', event => {
        if (event.buttons) seen.began ??= event.timeStamp; // a mark is being drawn
    }, {capture: true});
    document.addEventListener('load', event => {
        if (event.target.matches?.('img.widget-image')) changed();
    }, {capture: true});
    const inLine = node => (node.nodeType === 1 ? node : node.parentElement)?.closest('.widget-html-content');
    new MutationObserver(records => {
        if (records.some(record => record.target.localName === 'canvas' || inLine(record.target))) changed();
    }).observe(document.body, {subtree: true, childList: true, characterData: true, attributeFilter: ['aria-label']});
    window.flowlensLatency = seen;
}"""
_ARM = "() => Object.assign(window.flowlensLatency, {began: null, ended: null})"
# Two frames later the last change is painted.
_TOOK = """
() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => {
    const {began, ended} = window.flowlensLatency;
    resolve(ended === null || began === null ? null : (ended - began) / 1000);
})))"""


@dataclass(frozen=True)
class Seen:
    """What was seen from frame to frame.

    Attributes
    ----------
    frames, missing
        How many there were, and in how many a picture had no place in the page.
    repaints
        How often pictures were replaced.
    jump
        Pixels between the lowest and the highest that the explorer was.
    painted, blank
        How many different frames the browser painted, and in how many a picture had no ink.
    """

    frames: int
    missing: int
    repaints: int
    jump: float
    painted: int
    blank: int


class Watch:
    """Looks at an explorer in every frame until it is asked what was seen.

    A picture that is being replaced has no size for the page's scripts, while the browser still paints the one before.
    So what is blank is told by what is painted.
    """

    def __init__(self, root: Locator) -> None:
        self._page = root.page
        self._boxes = [picture.bounding_box() for picture in root.locator("img.widget-image").all()]
        self._painted: list[bytes] = []
        self._session = self._page.context.new_cdp_session(self._page)
        self._session.on("Page.screencastFrame", self._keep)
        self._session.send("Page.startScreencast", _SCREENCAST)
        root.evaluate(_FRAMES_BEGIN)

    def _keep(self, frame: dict[str, Any]) -> None:
        self._painted.append(base64.b64decode(frame["data"]))
        with suppress(Error):  # the last ones come when nobody waits for them any more
            self._session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    def seen(self) -> Seen:
        """Stop, and return what was seen."""
        self._session.send("Page.stopScreencast")
        self._session.detach()
        blank = sum(any(not self._has_ink(frame, box) for box in self._boxes) for frame in self._painted)
        return Seen(**self._page.evaluate(_FRAMES_END), painted=len(self._painted), blank=blank)

    def _has_ink(self, frame: bytes, box: dict[str, float]) -> bool:
        with Image.open(BytesIO(frame)) as image:
            scale = image.width / self._page.viewport_size["width"]
            sides = (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
            darkest, _ = image.convert("L").crop([round(side * scale) for side in sides]).getextrema()
        return darkest < _INK


class Latency:
    """A stopwatch in a page, from a key or a click to the last change that comes of it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.evaluate(_LATENCY)

    def arm(self) -> None:
        """Let the next key or click start the clock."""
        self._page.evaluate(_ARM)

    def seconds(self) -> float:
        """Return how long it took, once nothing more is to come.

        Raises
        ------
        AssertionError
            If nothing has changed.
        """
        took = self._page.evaluate(_TOOK)
        assert took is not None, "nothing has changed"
        return float(took)
