"""A notebook in the browser and an explorer in it, in the words of who sits in front of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from browser import Lab, Wire
from playwright.sync_api import ConsoleMessage, Locator, Page

__all__ = ["ExplorerPage", "NotebookPage", "VoilaPage"]

#: Milliseconds between two looks, and those of silence after which nothing more is to come.
_LOOK, _SILENCE = 20, 120
_MOST_SECONDS = 90
_MOST_TABS = 80
#: Pixels beside what is drawn of the time on a canvas.
_LEFT, _RIGHT = 64, 24

# ipywidgets writes spaces in lists as spaces that do not break.
_NAME = r"each => each.text.replaceAll('\u00a0', ' ').split(' · ')[0]"

_COMPLETE = "root => [...root.querySelectorAll('img.widget-image')].every(one => one.complete && one.naturalWidth > 0)"

_CAUGHT_UP = "() => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)))"

_KERNEL_INFO = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestKernelInfo()"

_LIES_BEFORE = "one => document.activeElement.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING"

# A widget makes a new address for its picture at every change, whatever is in it: the bytes have to be compared.
_PICTURES = """
async root => Promise.all([...root.querySelectorAll('img.widget-image')].map(async one => {
    const bytes = await crypto.subtle.digest('SHA-1', await (await fetch(one.src)).arrayBuffer());
    return [...new Uint8Array(bytes)].map(byte => byte.toString(16).padStart(2, '0')).join('');
}))"""

_CUT_OFF = """
root => Math.max(...[root, ...root.querySelectorAll('.widget-box, .widget-readout')]
    .map(one => one.scrollWidth - one.clientWidth))"""

# The formula of WCAG 2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
_CONTRASTS = """
root => {
    const channels = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = colour => channels(colour).slice(0, 3).map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
    const behind = node => {
        for (; node; node = node.parentElement) {
            const colour = getComputedStyle(node).backgroundColor;
            if ((channels(colour)[3] ?? 1) > 0.99) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const contrast = node => {
        const [low, high] = [getComputedStyle(node).color, behind(node)].map(luminance).sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const withParts = nodes => nodes.flatMap(node => [node, ...node.querySelectorAll('*')]);
    const lines = [...root.querySelectorAll('.widget-html-content')];
    const kinds = {
        status: withParts(lines.slice(0, 1)), line: withParts(lines.slice(1)),
        table: root.querySelectorAll('caption, th, td'), code: root.querySelectorAll('textarea'),
        list: root.querySelectorAll('select'), button: root.querySelectorAll('button:not([disabled])'),
        box: root.querySelectorAll('input[type=text]'),
    };
    return Object.fromEntries(
        Object.entries(kinds).map(([kind, nodes]) => [kind, Math.min(...[...nodes].map(contrast))])
    );
}"""


class _KernelPage:
    """A page with a kernel behind it: what they say to each other, and errors that only developers would see."""

    def __init__(self, page: Page) -> None:
        self.page, self.wire = page, Wire(page)
        self.errors: list[str] = []
        page.on("console", lambda said: self.errors.append(said.text) if self._is_ours(said) else None)
        page.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))

    @staticmethod
    def _is_ours(said: ConsoleMessage) -> bool:
        """Tell errors from what is no error, and from those of pages of other hosts, which cannot be reached here."""
        return said.type == "error" and "ERR_NAME_NOT_RESOLVED" not in said.text

    def wait_until(self, done: Callable[[], bool]) -> None:
        """Wait while the page lives on."""
        end = time.monotonic() + _MOST_SECONDS
        while not done():
            assert time.monotonic() < end, "it takes too long"
            self.page.wait_for_timeout(_LOOK)

    def settle(self) -> None:
        """Wait until the kernel has done all it was asked, and nothing more comes of it."""
        heard = -1
        while heard != self.wire.changes:
            self._fall_silent()
            heard = self.wire.changes
            # What a timer of the kernel began is not said to be at work: it answers once that is done.
            self._ask_whether_it_is_there()

    def _ask_whether_it_is_there(self) -> None:
        pass

    def _fall_silent(self) -> None:
        heard, since = -1, 0.0

        def silent() -> bool:
            nonlocal heard, since
            if self.wire.busy or heard != len(self.wire.messages):
                heard, since = len(self.wire.messages), time.monotonic()
            if time.monotonic() - since < _SILENCE / 1000:
                return False
            self.page.evaluate(_CAUGHT_UP)  # a busy page may have more to say
            return heard == len(self.wire.messages)

        self.wait_until(silent)

    def tab_to(self, target: Locator) -> None:
        """Press Tab until something has the focus, as who has no mouse does, or Shift and Tab where it lies before."""
        key = "Shift+Tab" if target.evaluate(_LIES_BEFORE) else "Tab"
        for _ in range(_MOST_TABS):
            if target.evaluate("one => one === document.activeElement"):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{_MOST_TABS} times Tab do not lead to {target}")


class NotebookPage(_KernelPage):
    """A notebook in JupyterLab."""

    def __init__(self, page: Page, lab: Lab, name: str) -> None:
        super().__init__(page)
        self._path = lab.notebooks / name
        page.goto(lab.address(name))
        self.cells = page.locator(".jp-Notebook .jp-CodeCell")
        # Keys that come before there is a kernel are lost.
        self.wait_until(lambda: "kernel_info_reply" in self.wire.kinds())
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        self.settle()

    def _ask_whether_it_is_there(self) -> None:
        self.page.evaluate(_KERNEL_INFO)

    def run(self, place: int) -> None:
        """Run a cell and wait for what comes of it."""
        self._enter(place)
        self.run_here()

    def run_here(self) -> None:
        """Run the cell that the cursor is in and wait for what comes of it."""
        before = len(self.wire.messages)
        self.page.keyboard.press("Control+Enter")
        # JupyterLab asks once the kernel listens, which takes a while after it was started.
        self.wait_until(lambda: any(one.kind == "execute_request" for one in self.wire.messages[before:]))
        self.settle()

    def said(self, place: int) -> str:
        """Return what is written below a cell."""
        return self.cells.nth(place).locator(".jp-OutputArea-output").inner_text().strip()

    def ask(self, place: int, code: str) -> str:
        """Write code into a cell in place of what is there, run it, and return what it says."""
        self.write(place, code)
        self.run(place)
        return self.said(place)

    def ask_with_paste(self, place: int, before: str, after: str) -> str:
        """Write into a cell with what was copied in between, run it, and return what it says."""
        self.write(place, before)
        self.page.keyboard.press("Control+v")
        self.page.keyboard.insert_text(after)
        self.run(place)
        return self.said(place)

    def leave(self, place: int) -> None:
        """Go from the text of a cell to the cell itself, where Tab no longer writes."""
        self._enter(place)
        self.page.keyboard.press("Escape")

    def _enter(self, place: int) -> None:
        self.cells.nth(place).locator(".cm-content").click()

    def source(self, place: int) -> str:
        """Return the code of a cell."""
        return self.cells.nth(place).locator(".cm-content").inner_text()

    def write(self, place: int, code: str) -> None:
        """Write code into a cell in place of what is there."""
        self._enter(place)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(code)

    def explorer(self, place: int) -> ExplorerPage:
        """Return the explorer below a cell."""
        return ExplorerPage(self, self.cells.nth(place).locator(".jp-OutputArea-output > .widget-vbox"))

    def command(self, name: str, **arguments: object) -> None:
        """Do what has a name in JupyterLab's palette."""
        self.page.evaluate("([name, given]) => window.jupyterapp.commands.execute(name, given)", [name, arguments])

    def use_theme(self, name: str) -> None:
        """Change the theme, and wait until the page has it."""
        self.command("apputils:change-theme", theme=name)
        self.page.locator(f"body[data-jp-theme-name='{name}']").wait_for(state="attached")
        # JupyterLab covers the page meanwhile, and fails to uncover it where it is asked twice.
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def save(self) -> Path:
        """Save the notebook and return its file."""
        before = self._path.stat().st_mtime_ns
        self.command("docmanager:save")
        self.wait_until(lambda: self._path.stat().st_mtime_ns != before)
        return self._path


class VoilaPage(_KernelPage):
    """A notebook as Voila shows it: without its code."""

    def __init__(self, page: Page, lab: Lab, name: str) -> None:
        super().__init__(page)
        page.goto(lab.voila_address(name), timeout=_MOST_SECONDS * 1000)

    def explorer(self, place: int) -> ExplorerPage:
        """Return one of the explorers that it shows, the first being 0."""
        outputs = self.page.locator(".jp-OutputArea-output:has(img.widget-image)")
        shown = ExplorerPage(self, outputs.nth(place).locator(".widget-vbox:has(img)").first)
        shown.wait()
        return shown


class ExplorerPage:
    """An explorer as it is seen and used."""

    def __init__(self, within: _KernelPage, root: Locator) -> None:
        self.within, self.page, self.root = within, within.page, root

    def wait(self) -> None:
        """Wait until it is there with all pictures and has come to rest."""
        self.root.locator("img.widget-image, canvas").first.wait_for(timeout=_MOST_SECONDS * 1000)
        self.within.settle()
        self.page.wait_for_function(_COMPLETE, arg=self.root.element_handle())

    # --- What it shows ---

    @property
    def status(self) -> str:
        """The status line."""
        return self.lines[0]

    @property
    def lines(self) -> list[str]:
        """The status line and the lines below the pictures."""
        return self.root.locator(".widget-html-content:not(:has(table))").all_inner_texts()

    @property
    def counted(self) -> tuple[int, int]:
        """How many rows the status line counts, and of how many."""
        part, whole = re.match(r"([\d,]+) of ([\d,]+) ", self.status).groups()
        return int(part.replace(",", "")), int(whole.replace(",", ""))

    @property
    def pictures(self) -> list[str]:
        """Something that differs where pictures do, for each of them."""
        return self.root.evaluate(_PICTURES)

    @property
    def cut_off(self) -> int:
        """How many pixels of its width, or of that of a part of it, can only be seen after scrolling."""
        return self.root.evaluate(_CUT_OFF)

    def canvas(self, title: str) -> Locator:
        """Return what the page draws itself, by how its words begin."""
        return self.root.locator(f"canvas[aria-label^='{title}']")

    @property
    def drawn(self) -> list[str]:
        """What the page draws itself, in words."""
        return [canvas.get_attribute("aria-label") for canvas in self.root.locator("canvas").all()]

    @property
    def code(self) -> str:
        """What stands in the text to copy."""
        return self.root.locator("textarea").input_value()

    @property
    def chips(self) -> list[str]:
        """The clauses that can be taken away, by what their buttons say they do."""
        chips = self.root.locator("button[title^='Take away']").all()
        return [chip.get_attribute("title").removeprefix("Take away ") for chip in chips]

    @property
    def slid(self) -> tuple[int, int]:
        """The edges between which the slider stands, by their numbers."""
        low, high = (self.handle(end).get_attribute("aria-valuenow") for end in ("lower", "upper"))
        return int(float(low)), int(float(high))

    @property
    def slid_to(self) -> list[str]:
        """The same as it is written beside the slider: two times."""
        return re.findall(r"\d\d \d\d:\d\d", self.root.locator(".widget-readout").first.inner_text())

    @property
    def last_edge(self) -> int:
        """The number of the last edge of the slider."""
        return int(float(self.handle("upper").get_attribute("aria-valuemax")))

    def contrasts(self) -> dict[str, float]:
        """Return how much words of each kind stand out from what is behind them; WCAG asks for 4.5."""
        return self.root.evaluate(_CONTRASTS)

    def chosen(self, title: str) -> list[str]:
        """Return what is picked in a list."""
        return self.list(title).evaluate(f"one => [...one.selectedOptions].map({_NAME})")

    def offered(self, title: str) -> list[str]:
        """Return what can be picked in a list."""
        return self.list(title).evaluate(f"one => [...one.options].map({_NAME})")

    def list(self, title: str) -> Locator:
        """Return the list of a panel."""
        return self.root.locator(f"select[title^='{title}']")

    def button(self, name: str) -> Locator:
        """Return a button by what is written on it, or by what it says it does."""
        by_title = self.root.locator(f'button[title="{name}"]')
        return by_title.or_(self.root.locator(f'button:text-is("{name}")'))

    def handle(self, end: str) -> Locator:
        """Return the handle of an end of the slider: lower or upper."""
        return self.root.locator(f".noUi-handle-{end}").first

    # --- What is done with it ---

    def pick(self, title: str, name: str) -> None:
        """Click on a name in a list."""
        self.list(title).locator("option").nth(self.offered(title).index(name)).click()
        self.within.settle()

    def drag(self, title: str, begin: float, end: float) -> Callable[[], None]:
        """Press the mouse at a part of the width of a canvas, drag it to another; return what lets it go.

        Parts are of what is drawn within its margins, which are those of ``canvas.js``.
        """
        self.move_to(title, begin)
        self.page.mouse.down()
        self.move_to(title, end, steps=8)
        self.within.settle()

        def let_go() -> None:
            self.page.mouse.up()
            self.within.settle()

        return let_go

    def move_to(self, title: str, part: float, steps: int = 1) -> None:
        """Move the mouse over a canvas to a part of its width."""
        canvas = self.canvas(title)
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        left, width = box["x"] + _LEFT, box["width"] - _LEFT - _RIGHT
        self.page.mouse.move(left + part * width, box["y"] + box["height"] / 2, steps=steps)

    def pick_by_keys(self, title: str, name: str) -> None:
        """Walk to a list and to a name in it, and pick that, without a mouse.

        JupyterLab keeps plain arrows for itself where a list has the focus (ipywidgets issue 3912).
        """
        self.within.tab_to(self.list(title))
        self.page.keyboard.press("Control+Home")
        for _ in range(self.offered(title).index(name)):
            self.page.keyboard.press("Control+ArrowDown")
        self.page.keyboard.press("Space")
        self.within.settle()

    def press(self, name: str) -> None:
        """Click on a button."""
        self.button(name).click()
        self.within.settle()

    def press_by_key(self, name: str) -> None:
        """Walk to a button and press it, without a mouse."""
        self.within.tab_to(self.button(name))
        self.page.keyboard.press("Space")
        self.within.settle()

    def type(self, clause: str) -> None:
        """Type a clause and Enter."""
        self.words.fill("")
        self.words.press_sequentially(clause)
        self.page.keyboard.press("Enter")
        self.within.settle()

    @property
    def words(self) -> Locator:
        """The box for clauses."""
        return self.root.locator("input[type=text]").first

    def copy(self) -> None:
        """Copy all of the text, by keys."""
        self.root.locator("textarea").focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Control+c")

    def screenshot(self) -> bytes:
        """Take a picture of all of it, and of nothing around it."""
        self.page.evaluate("() => document.activeElement.blur()")
        self.page.mouse.move(0, 0)
        return self.root.screenshot()
