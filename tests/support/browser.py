"""Headless Chromium on the page, and a record of what must not happen there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of the system; skips with the reason where there is none, or no Playwright to steer it."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """The page, opened, and everything it logged, asked for and sent."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.console: list[str] = []
        self.urls: list[str] = []
        self.sent: list[Any] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", self._note)
        self.response = self.page.goto(url)
        self.page.wait_for_selector("#model:enabled")

    def _note(self, request: Any) -> None:
        if not request.url.startswith(("data:", "blob:")):
            self.urls.append(request.url)
        if request.method == "POST" and "json" in request.headers.get("content-type", ""):
            self.sent.append(request.post_data_json)

    def best(self) -> str:
        """The best label, once the answer is there."""
        self.page.wait_for_selector("#result:not([hidden])")
        return self.page.locator("#bars li .label").first.inner_text()

    def problem(self) -> str:
        self.page.wait_for_selector("#error > div")
        return self.page.inner_text("#error")

    def draw(self, *strokes: list[tuple[int, int]]) -> None:
        """Strokes of points on a canvas of 280 px, with the mouse."""
        box = self.page.locator("#canvas").bounding_box()
        scale = box["width"] / 280
        for stroke in strokes:
            points = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in stroke]
            self.page.mouse.move(*points[0])
            self.page.mouse.down()
            for x, y in points[1:]:
                self.page.mouse.move(x, y, steps=8)
            self.page.mouse.up()

    def drop(self, name: str, content_type: str, base64_text: str) -> None:
        """Drop a file onto the page, as a browser tells the page of it."""
        self.page.evaluate(
            """async ([name, type, text]) => {
                const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File([bytes], name, { type }));
                for (const kind of ["dragover", "drop"]) {
                    const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
                    document.querySelector("#drop").dispatchEvent(event);
                }
            }""",
            [name, content_type, base64_text],
        )

    def drop_paths(self, *paths: Path) -> None:
        """Drop files or folders of this machine, as the browser takes them from a file manager."""
        box = self.page.locator("h1").bounding_box()
        session = self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            place = {"x": box["x"] + 5, "y": box["y"] + 5}
            session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
        session.detach()

    def paste(self, content_type: str, base64_text: str) -> None:
        """Paste a picture, as a browser tells the page of it."""
        self.page.evaluate(
            """([type, text]) => {
                const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
                const clipboardData = new DataTransfer();
                clipboardData.items.add(new File([bytes], "image.png", { type }));
                document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
            }""",
            [content_type, base64_text],
        )
