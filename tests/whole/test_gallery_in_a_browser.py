"""Many pictures at once on the page, and two models side by side: in headless Chromium, served by `chalice local`."""

import csv
import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config import EMBEDDED_MODELS
from tests.support.browser import Visit
from tests.support.bundles import rgb_input, write_bundle
from tests.support.local_server import Server, serving
from tests.support.paths import SEVEN

COUNT = 200 if os.environ.get("SLIMCEPTION_LONG") else 24
IN_FLIGHT = 4
WATCH = """() => {
    window.open = { urls: 0, bitmaps: 0, most: 0 };
    const [make, revoke, decode] = [URL.createObjectURL, URL.revokeObjectURL, window.createImageBitmap];
    URL.createObjectURL = (blob) => { open.urls += 1; return make.call(URL, blob); };
    URL.revokeObjectURL = (url) => { if (url.startsWith("blob:")) open.urls -= 1; revoke.call(URL, url); };
    window.createImageBitmap = async (...all) => {
        open.most = Math.max(open.most, ++open.bitmaps);
        try {
            const bitmap = await decode(...all), close = bitmap.close.bind(bitmap);
            bitmap.close = () => { open.bitmaps -= 1; close(); };
            return bitmap;
        } catch (error) { open.bitmaps -= 1; throw error; }
    };
}"""


@pytest.fixture(scope="module")
def server(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves digits, the default, and an untrained colour model."""
    folder = tmp_path_factory.mktemp("gallery")
    write_bundle(folder / "models", trained=False, input=rgb_input())
    (folder / "models" / "digits").symlink_to(EMBEDDED_MODELS / "digits")
    with serving(folder / "output.txt", MODEL_DIR=str(folder / "models")) as started:
        yield started


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Visit]:
    """An open page; at the end it has logged nothing but refusals, and asked nobody else."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    opened = Visit(context, server.url)
    opened.page.evaluate(WATCH)
    yield opened
    assert [line for line in opened.console if not line.startswith("Failed to load resource")] == []
    assert [url for url in opened.urls if not url.startswith(server.url)] == []
    context.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., list[Path]]:
    """Files in a folder: so many sevens, then what is named with its bytes."""

    def make(count: int, **others: bytes) -> list[Path]:
        folder = tmp_path / "pictures"
        folder.mkdir()
        for number in range(count):
            shutil.copy(SEVEN, folder / f"seven-{number:03d}.png")
        for name, data in others.items():
            (folder / name.replace("_", ".")).write_bytes(data)
        return sorted(folder.iterdir())

    return make


BROKEN = {"a_png": b"", "b_jpg": b"\xff\xd8\xff\xe0 cut", "c_pdf": b"%PDF-1.7"}


def ended(visit: Visit) -> None:
    """Wait until every picture has its answer or its reason."""
    visit.page.wait_for_selector("#tiles li")
    visit.page.wait_for_selector("#stop", state="hidden", timeout=240_000)


def becomes(visit: Visit, selector: str, count: int) -> None:
    """Wait until so many elements match. The page's policy forbids Playwright's own polling, which evaluates text."""
    for _ in range(200):
        if visit.page.locator(selector).count() == count:
            return
        visit.page.wait_for_timeout(50)
    raise AssertionError(f"{visit.page.locator(selector).count()} of {selector}, expected {count}")


def saved(visit: Visit) -> list[dict[str, str]]:
    with visit.page.expect_download() as download:
        visit.page.click("#csv")
    assert download.value.suggested_filename == "slimception.csv"
    text = Path(download.value.path()).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


class TestManyPictures:
    def test_dropped_at_once_three_of_them_broken_to_a_csv(self, visit, pictures):
        """The page is usable meanwhile: a tile shows its answer, and Draw draws."""
        under_way, most = set(), [0]

        def note(request: Any) -> None:
            if request.url.endswith("/predict"):
                under_way.add(request)
                most[0] = max(most[0], len(under_way))

        visit.page.on("request", note)
        for event in ("requestfinished", "requestfailed"):
            visit.page.on(event, lambda request: under_way.discard(request))
        paths = pictures(COUNT - 3, **BROKEN)
        visit.drop_paths(*paths)
        visit.page.locator("#tiles button.tile").first.click()
        assert visit.best() == "7"
        assert visit.page.inner_text("#sent").startswith("seven-")
        ended(visit)
        assert visit.page.inner_text("#count") == f"{COUNT - 3} of {COUNT} pictures answered, 3 failed"
        assert visit.page.inner_text("#spoken") == visit.page.inner_text("#count")
        assert 1 < most[0] <= IN_FLIGHT
        rows = saved(visit)
        assert [row["file"] for row in rows] == [path.name for path in paths]
        assert [(row["label"], row["model"]) for row in rows[3:]] == [("7", "digits")] * (COUNT - 3)
        assert all(0.9 < float(row["score"]) <= 1 and not row["error"] for row in rows[3:])
        reasons = [row["error"] for row in rows[:3]]
        assert "is empty" in reasons[0] and "broken or truncated" in reasons[1] and "looks like PDF" in reasons[2]
        assert [row["label"] + row["score"] for row in rows[:3]] == [""] * 3
        shown = visit.page.locator("#tiles li.failed .why").all_inner_texts()
        assert [text.lower().rstrip(".") for text in shown] == [text.lower().rstrip(".") for text in reasons]

    def test_pictures_are_decoded_few_at_a_time_and_their_urls_are_given_back(self, visit, pictures):
        visit.drop_paths(*pictures(12))
        ended(visit)
        for _ in range(100):
            if visit.page.evaluate("open.urls") == 0:
                break
            visit.page.wait_for_timeout(50)
        state = visit.page.evaluate("open")
        assert (state["urls"], state["bitmaps"]) == (0, 0) and 1 <= state["most"] <= IN_FLIGHT
        assert visit.page.locator("#tiles img").count() == 12
        assert visit.page.evaluate("[...document.querySelectorAll('#tiles img')].every((i) => i.naturalWidth === 240)")

    def test_a_folder_dropped(self, visit, pictures, tmp_path):
        (first, *_) = pictures(2, note_txt=b"no picture")
        (first.parent / ".hidden.png").write_bytes(SEVEN.read_bytes())
        (first.parent / "below").mkdir()
        shutil.copy(SEVEN, first.parent / "below")
        visit.drop_paths(first.parent)
        ended(visit)
        names = [row["file"] for row in saved(visit)]
        assert names == ["pictures/below/seven.png", "pictures/seven-000.png", "pictures/seven-001.png"]

    def test_pictures_chosen_are_added_and_all_removed(self, visit, pictures):
        paths = pictures(3)
        visit.page.click("#mode-picture")
        visit.page.set_input_files("#file", paths[:2])
        ended(visit)
        visit.page.set_input_files("#file", paths[2:])
        becomes(visit, "#tiles li.done", 3)
        visit.page.click("#remove")
        visit.page.wait_for_selector("#gallery", state="hidden")
        visit.page.set_input_files("#file", paths[0])
        assert visit.best() == "7"
        assert visit.page.is_hidden("#gallery")

    def test_names_that_a_spreadsheet_would_run(self, visit):
        files = [
            {"name": name, "mimeType": "image/png", "buffer": SEVEN.read_bytes()}
            for name in ("=1+1.png", "+a.png", "-a.png", "@a.png", 'a,"b".png')
        ]
        visit.page.set_input_files("#file", files)
        ended(visit)
        assert [row["file"] for row in saved(visit)] == ["'=1+1.png", "'+a.png", "'-a.png", "'@a.png", 'a,"b".png']


class TestFailures:
    def test_what_may_pass_is_tried_again_by_itself(self, visit, pictures):
        refused = []

        def throttle(route: Any) -> None:
            if len(refused) < 3:
                refused.append(route)
                body = '{"message": "Too Many Requests"}'
                route.fulfill(status=(429, 503, 504)[len(refused) - 1], headers={"Retry-After": "0"}, body=body)
            else:
                route.continue_()

        visit.page.route("**/predict", throttle)
        visit.drop_paths(*pictures(4))
        ended(visit)
        assert visit.page.locator("#tiles li.done").count() == 4
        assert len(refused) == 3

    def test_a_failed_picture_is_tried_again_by_its_button_and_all_by_one(self, visit, pictures):
        visit.page.route("**/predict", lambda route: route.fulfill(status=418, body=""))
        visit.drop_paths(*pictures(3))
        ended(visit)
        assert visit.page.locator("#tiles li.failed").count() == 3
        assert "status 418" in visit.page.locator(".why").first.inner_text()
        visit.page.unroute("**/predict")
        again = visit.page.get_by_role("button", name="Try seven-001.png again")
        again.focus()
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_selector("#tiles li.done")
        assert visit.page.evaluate("document.activeElement.className") == "tile"  # the focus stays at the picture
        visit.page.click("#again")
        becomes(visit, "#tiles li.done", 3)
        assert visit.page.is_hidden("#again")

    def test_stopped_and_resumed(self, visit, pictures):
        visit.page.route("**/predict", lambda route: None)  # never answers
        visit.drop_paths(*pictures(6))
        visit.page.wait_for_selector("#tiles li.busy")
        visit.page.click("#stop")
        visit.page.wait_for_selector("#again")
        assert visit.page.locator(".why").all_inner_texts() == ["Stopped before an answer came."] * 6
        visit.page.unroute("**/predict")
        visit.page.keyboard.press("Enter")  # the focus is on "Try failed ones again"
        becomes(visit, "#tiles li.done", 6)
        assert visit.page.locator("#tiles .why").count() == 0


class TestTwoModels:
    def test_one_picture(self, visit):
        visit.page.set_input_files("#file", SEVEN)
        assert visit.best() == "7"
        assert visit.page.is_hidden("#other")
        visit.page.select_option("#compare", "channels_float")
        visit.page.wait_for_selector("#other .bars li")
        assert (
            visit.page.inner_text("#first-name") == "digits" and visit.page.inner_text("#other h3") == "channels_float"
        )
        assert visit.page.locator("#bars li .label").first.inner_text() == "7"
        assert visit.page.locator("#other li .label").first.inner_text() in ("red", "green", "blue")
        boxes = [visit.page.locator(name).bounding_box() for name in ("#bars", "#other .bars")]
        assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
        assert [sent["model"] for sent in visit.sent[-2:]] == ["digits", "channels_float"]

    def test_the_second_fails(self, visit):
        def refuse(route: Any) -> None:
            if "channels_float" in route.request.post_data:
                route.fulfill(status=503, body='{"Message": "it does not load", "request_id": "r-9"}')
            else:
                route.continue_()

        visit.page.route("**/predict", refuse)
        visit.page.set_input_files("#file", SEVEN)
        visit.page.select_option("#compare", "channels_float")
        visit.page.wait_for_selector("#other .note")
        assert visit.best() == "7"
        assert visit.page.inner_text("#other .note").split("\n\n") == ["It does not load.", "Request r-9"]

    def test_many_pictures(self, visit, pictures):
        visit.page.select_option("#compare", "channels_float")
        visit.drop_paths(*pictures(3))
        ended(visit)
        assert visit.page.locator("#tiles .differs").count() == 3
        rows = saved(visit)
        assert [row["model"] for row in rows] == ["digits", "channels_float"] * 3
        visit.page.select_option("#compare", "")
        ended(visit)
        becomes(visit, "#tiles .differs", 0)
        assert [row["model"] for row in saved(visit)] == ["digits"] * 3

    def test_a_model_is_not_compared_with_itself(self, visit):
        offered = "[...document.querySelector('#compare').options].map((option) => option.value)"
        assert visit.page.evaluate(offered) == ["", "channels_float"]
        visit.page.select_option("#model", "channels_float")
        assert visit.page.evaluate(offered) == ["", "digits"]


class TestAccess:
    def test_the_keyboard_alone(self, visit, pictures):
        visit.drop_paths(*pictures(3))
        ended(visit)
        visit.page.focus("#remove")
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Enter")
        assert visit.best() == "7"
        assert visit.page.inner_text("#sent") == "seven-001.png"
        assert visit.page.get_attribute("[aria-current]", "aria-current") == "true"

    def test_screen_readers_hear_the_quarters_and_not_each_picture(self, visit, pictures):
        visit.page.evaluate(
            """() => {
                window.spoken = [];
                const node = document.querySelector("#spoken");
                new MutationObserver(() => spoken.push(node.textContent)).observe(node, { childList: true });
            }"""
        )
        visit.drop_paths(*pictures(16))
        ended(visit)
        spoken = [text for text in visit.page.evaluate("spoken") if text]
        assert 1 <= len(spoken) <= 4
        assert spoken[-1] == "16 of 16 pictures answered"
        assert visit.page.get_attribute("#spoken", "aria-live") == "polite"

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 1280])
    def test_axe_finds_no_violation(self, browser, server, pictures, width, scheme):
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True
        )
        opened = Visit(context, server.url)

        def check(state: str) -> None:
            results = axe.run(opened.page)
            assert results.violations_count == 0, f"{state}: {results.generate_report()}"

        opened.page.route("**/predict", lambda route: None)
        opened.drop_paths(*pictures(3, **BROKEN))
        opened.page.wait_for_selector("#tiles li.busy")
        check("under way")
        opened.page.click("#stop")
        opened.page.unroute("**/predict")
        opened.page.click("#again")
        ended(opened)
        opened.page.locator("#tiles button.tile").first.click()
        check("ended, a picture chosen")
        opened.page.select_option("#compare", "channels_float")
        ended(opened)
        opened.page.wait_for_selector("#tiles .differs")
        check("two models")
        assert opened.page.evaluate("document.documentElement.scrollWidth") == width
        context.close()
