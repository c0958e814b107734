"""A person who uses the keyboard only and sees where the focus is."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

LONGEST_WAY = 150
RING = """element => {
  // A control that is drawn by its label shows the focus there.
  const drawn = element.matches(".visually-hidden") ? element.labels[0] : element;
  const style = getComputedStyle(drawn), box = drawn.getBoundingClientRect();
  const onScreen = box.width > 0 && box.bottom > 0 && box.top < innerHeight;
  return { ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, onScreen };
}"""


class Keyboard:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.press, self.type = page.keyboard.press, page.keyboard.type

    def tab_to(self, target: Locator, *, back: bool = False) -> None:
        """Press Tab until the element has the focus, and check that the focus is visible."""
        target.wait_for(state="attached")
        for _ in range(LONGEST_WAY):
            self.press("Shift+Tab" if back else "Tab")
            if target.evaluate("element => element === document.activeElement"):
                return self.assert_focus_ring(target)
        raise AssertionError(f"{LONGEST_WAY} times Tab do not lead to {target}")

    def assert_focus_ring(self, target: Locator) -> None:
        shown = target.evaluate(RING)
        assert shown == {"ring": True, "onScreen": True}, f"the focus is not seen at {target}: {shown}"

    def enter(self, target: Locator, *, back: bool = False) -> None:
        self.tab_to(target, back=back)
        self.press("Enter")

    def write(self, target: Locator, text: str, *, back: bool = False) -> None:
        """Select the old value first, as Tab does in most browsers."""
        self.tab_to(target, back=back)
        self.press("Control+a")
        self.type(text)

    def choose(self, target: Locator, value: str) -> None:
        """Choose an option of a list or a group of radio buttons with the arrow keys."""
        self.tab_to(target)
        for _ in range(LONGEST_WAY):
            at = target.page.locator(":focus")
            if at.evaluate("element => element.value") == value:
                return self.assert_focus_ring(at)
            self.press("ArrowDown")
        raise AssertionError(f"no arrow leads to {value!r} in {target}")
