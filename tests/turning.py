"""A figure to turn, in a browser: drawn, asked for its numbers, turned by a mouse."""

from __future__ import annotations

import math
from typing import Any

import pytest
from playwright.sync_api import Page as Tab

from .chromium import Visit

# About the speed of a machine that draws without a graphics card, not about the page.
SLOW = ("GPU stall due to ReadPixels", "willReadFrequently")
LIBRARY = "plotly-gl3d.min.js"

Drawn = tuple[Tab, Visit]

# A hand that moves and lets go within one frame, as it does where frames take long.
FLICK = """async () => {
    const canvas = document.querySelector(".turning-plot canvas");
    const box = canvas.getBoundingClientRect();
    const at = (right) => ({
        bubbles: true, view: window, button: 0, pointerType: "mouse",
        clientX: box.x + box.width / 2 + right, clientY: box.y + box.height / 2,
    });
    const hand = (kind, right, buttons) => {
        const say = (Kind, name) =>
            canvas.dispatchEvent(new Kind(name + kind, { ...at(right), buttons }));
        say(PointerEvent, "pointer");
        say(MouseEvent, "mouse");
    };
    const pause = () => { for (const start = Date.now(); Date.now() - start < 30; ); };
    hand("move", 0, 0);
    hand("down", 0, 1);
    for (const right of [20, 40, 60]) { pause(); hand("move", right, 1); }
    hand("up", 60, 0);
}"""


def awake(tab: Tab) -> None:
    """Scroll through the figures of the page until they are drawn."""
    for root in tab.locator(".turning > figure").all():
        root.scroll_into_view_if_needed()
        root.locator("xpath=self::*[@data-awake]").wait_for(timeout=60_000)


def plotted(tab: Tab, path: str) -> Any:
    """A value of the first drawn figure, such as data[2].x."""
    return tab.evaluate(f"() => document.querySelector('.turning-plot').{path}")


def complaints(visit: Visit) -> list[str]:
    return [said for said in visit.complaints if not any(words in said for words in SLOW)]


def middle(tab: Tab) -> tuple[float, float]:
    """The center of the first drawn picture, brought to the middle of the window."""
    plot = tab.locator(".turning-plot").first
    plot.evaluate("(one) => one.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = plot.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(tab: Tab, right: float, down: float = 0) -> None:
    """With the mouse, from the middle of the picture."""
    across, along = middle(tab)
    tab.mouse.move(across, along)
    tab.mouse.down()
    tab.mouse.move(across + right / 2, along + down / 2, steps=4)
    tab.mouse.move(across + right, along + down, steps=4)
    tab.mouse.up()
    tab.wait_for_timeout(300)


def azimuth(tab: Tab) -> float:
    """Where the picture is seen from, in degrees."""
    eye = plotted(tab, "_fullLayout.scene._scene.getCamera().eye")
    return math.degrees(math.atan2(eye["y"], eye["x"]))


def settle(tab: Tab) -> None:
    """Wait until the picture stands still: the last event of a drag comes when it is drawn."""
    before, still = azimuth(tab), 0
    for _ in range(50):
        tab.wait_for_timeout(300)
        now = azimuth(tab)
        still = still + 1 if now == before else 0
        if still == 3:
            return
        before = now
    pytest.fail("the picture never stands still")


def turned_by(tab: Tab, start: float) -> int:
    """The degrees that the slider shows, which are those the picture has turned since a start."""
    shown = int(tab.get_by_role("slider", name="turn").first.input_value())
    assert (azimuth(tab) - start - shown + 180) % 360 - 180 == pytest.approx(0, abs=0.51)
    return shown
