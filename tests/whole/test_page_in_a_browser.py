"""The page as people meet it: in headless Chromium, served by `chalice local`."""

import base64
import io
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chalicelib.api import page
from chalicelib.config import EMBEDDED_MODELS
from tests.support.browser import Visit
from tests.support.bundles import DATA_DIR, rgb_input, write_bundle
from tests.support.local_server import Server, serving
from tests.support.requests import b64

SEVEN = (DATA_DIR / "seven.png").read_bytes()
DIGITS = {
    "1": [[(140, 40), (140, 240)]],
    "3": [[(80, 50), (140, 40), (190, 80), (130, 130), (200, 180), (150, 240), (80, 225)]],
    "4": [[(150, 40), (70, 160), (210, 160)], [(170, 100), (170, 245)]],
    "7": [[(70, 60), (200, 60), (150, 140), (120, 230)]],
}
ORIENTATION = 0x0112
ASSUMED = {
    "pixels": {"value": "scaled to -1..1", "from": "assumption", "reason": "not known from the model"},
    "scores": {"value": "logits", "from": "graph", "reason": "nothing comes after the last sum"},
    "resize": {"value": "<b>nearest</b>", "from": "assumption", "reason": "usual"},
}


@pytest.fixture(scope="module")
def server(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves digits, the default, and an untrained colour model, whose card assumes two things and says "nearest"."""
    folder = tmp_path_factory.mktemp("page")
    write_bundle(folder / "models", trained=False, contract=ASSUMED, input=rgb_input() | {"resize": "nearest"})
    (folder / "models" / "digits").symlink_to(EMBEDDED_MODELS / "digits")
    with serving(folder / "output.txt", MODEL_DIR=str(folder / "models")) as started:
        yield started


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Visit]:
    """An open page, which at the end must have logged nothing and asked nobody else."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    opened = Visit(context, server.url)
    yield opened
    assert opened.console == []
    assert [url for url in opened.urls if not url.startswith(server.url)] == []
    context.close()


def photo(width: int = 4032, height: int = 3024, orientation: int = 1) -> bytes:
    """A noisy JPEG as large as a phone's; the upper half red, the lower blue, before it is turned."""
    pixels = np.random.default_rng(1).integers(0, 90, (height, width, 3), np.uint8)
    pixels[: height // 2, :, 0] += 160
    pixels[height // 2 :, :, 2] += 160
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=85, exif=exif)
    return stream.getvalue()


def picture_sent(visit: Visit) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(visit.sent[-1]["image"].partition(",")[2])))


class TestPictures:
    def test_a_file_dropped(self, visit):
        visit.drop("seven.png", "image/png", b64(SEVEN))
        assert visit.best() == "7"
        assert visit.page.locator("#bars li").count() == 5
        assert visit.sent == [{"image": f"data:image/png;base64,{b64(SEVEN)}", "model": "digits", "top_k": 5}]
        assert "280 × 280 pixels, sent as it is" in visit.page.inner_text("#sent")

    def test_a_picture_pasted(self, visit):
        visit.paste("image/png", b64(SEVEN))
        assert visit.best() == "7"

    def test_a_file_chosen_and_the_time_split(self, visit):
        visit.page.click("#mode-picture")
        with visit.page.expect_file_chooser() as chooser:
            visit.page.click("#choose")
        chooser.value.set_files(DATA_DIR / "seven.png")
        assert visit.best() == "7"
        stated = visit.page.inner_text("#parts").split()
        assert [word for word in stated if word in ("Network", "Decode", "Preprocess", "Inference")] == [
            "Network",
            "Decode",
            "Preprocess",
            "Inference",
        ]
        assert "predict/image?model=digits" in visit.page.text_content("#curl")

    def test_a_photo_of_12_megapixels_is_scaled_down(self, visit):
        data = photo()
        assert len(data) > 5_000_000
        visit.page.set_input_files("#file", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": data})
        visit.best()
        assert picture_sent(visit).size == (128, 96)
        assert len(json.dumps(visit.sent[-1])) < 20_000
        assert "4032 × 3024 to 128 × 96 pixels" in visit.page.inner_text("#sent")

    def test_a_photo_is_sent_as_it_is_if_the_model_looks_at_single_pixels(self, visit):
        data = photo(2400, 1800)
        assert 300_000 < len(data) < 4_000_000
        visit.page.select_option("#model", "channels_float")
        visit.page.set_input_files("#file", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": data})
        visit.best()
        assert base64.b64decode(visit.sent[-1]["image"].partition(",")[2]) == data
        assert "2400 × 1800 pixels, sent as it is" in visit.page.inner_text("#sent")

    @pytest.mark.parametrize(("orientation", "red_side"), [(1, "top"), (3, "bottom"), (6, "right"), (8, "left")])
    def test_a_photo_stays_upright(self, visit, orientation, red_side):
        data = photo(3000, 1500, orientation)
        visit.page.set_input_files("#file", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": data})
        visit.best()
        sent = picture_sent(visit)
        assert sent.size == ((192, 96) if orientation < 5 else (96, 192))
        assert not sent.getexif().get(ORIENTATION)
        width, height = sent.size
        middles = {
            "top": (width // 2, 9),
            "bottom": (width // 2, height - 9),
            "left": (9, height // 2),
            "right": (width - 9, height // 2),
        }
        redness = {side: sent.getpixel(at)[0] - sent.getpixel(at)[2] for side, at in middles.items()}
        assert max(redness, key=redness.__getitem__) == red_side

    def test_a_phone_may_take_a_picture(self, browser, server):
        phone = browser.new_context(viewport={"width": 360, "height": 780}, has_touch=True, is_mobile=True)
        opened = Visit(phone, server.url)
        opened.page.tap("#mode-picture")
        assert opened.page.get_attribute("#photo", "capture") == "environment"
        with opened.page.expect_file_chooser() as chooser:
            opened.page.tap("#camera")
        chooser.value.set_files(DATA_DIR / "seven.png")
        assert opened.best() == "7"
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 360
        assert opened.console == []
        phone.close()


class TestUploads:
    """Pictures above 4 MB for a model that looks at single pixels; the browser answers in place of the bucket."""

    @pytest.fixture
    def bucket(self, visit, server):
        """What was sent to the bucket: bodies. The contract says that there is one, and answers name its pictures."""
        got: list[bytes] = []

        def contract(route: Any) -> None:
            response = route.fetch()
            described = response.json()
            described["paths"]["/uploads"] = {}
            route.fulfill(response=response, json=described)

        def take(route: Any) -> None:
            got.append(route.request.post_data_buffer)
            route.fulfill(status=204)

        form = {"url": f"{server.url}bucket", "fields": {"key": "uploads/x", "policy": "p"}}
        grant = {"image": "s3://b/uploads/x", "upload": form, "max_bytes": 1, "expires_in_s": 300, "request_id": "r"}
        answer = {
            "model": {"name": "channels_float", "version": "1", "quantization": "float32", "trained": True},
            "predictions": [{"index": 0, "label": "red", "score": 0.9}],
            "timing_ms": {"decode": 1, "preprocess": 1, "inference": 1, "total": 3},
            "cold_start": False,
            "request_id": "r-2",
        }

        def predict(route: Any) -> None:
            if "s3://" in route.request.post_data:
                route.fulfill(json=answer)
            else:
                route.continue_()

        for pattern, handler in (("openapi.json", contract), ("bucket", take), ("predict", predict)):
            visit.page.route(f"**/{pattern}", handler)
        visit.page.route("**/uploads", lambda route: route.fulfill(status=201, json=grant))
        visit.page.select_option("#model", "channels_float")
        return got

    def test_a_photo_of_more_than_a_request_holds(self, visit, bucket):
        data = photo()
        assert len(data) > 5_000_000
        visit.page.set_input_files("#file", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": data})
        assert visit.best() == "red"
        asked, predicted = visit.sent[-2:]
        assert asked == {"bytes": len(data), "content_type": "image/jpeg"}
        assert predicted == {"image": "s3://b/uploads/x", "model": "channels_float", "top_k": 3}
        (body,) = bucket
        names = [part.split(b'"')[1] for part in body.split(b"form-data; name=")[1:]]
        assert names == [b"key", b"policy", b"file"]
        assert data in body
        said = visit.page.inner_text("#sent")
        assert said.startswith("4032 × 3024 pixels, uploaded as it is: ") and said.endswith("deleted after a day.")

    def test_the_bucket_refuses(self, visit, bucket):
        visit.page.route("**/bucket", lambda route: route.fulfill(status=403))
        visit.page.set_input_files("#file", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": photo()})
        assert "S3 refused the upload with status 403" in visit.problem()
        visit.console.clear()

    def test_what_this_browser_cannot_open_is_uploaded_too(self, visit, bucket):
        visit.page.set_input_files("#file", {"name": "p.heic", "mimeType": "image/heic", "buffer": bytes(4_000_001)})
        assert visit.best() == "red"
        assert visit.sent[-2] == {"bytes": 4_000_001, "content_type": "image/heic"}

    def test_a_model_that_averages_gets_it_scaled_down(self, visit, bucket):
        visit.page.select_option("#model", "digits")
        visit.page.set_input_files("#file", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": photo()})
        visit.best()
        assert bucket == [] and picture_sent(visit).size == (128, 96)

    def test_two_models_share_one_upload(self, visit, bucket):
        visit.page.select_option("#compare", "digits")
        visit.page.set_input_files("#file", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": photo()})
        visit.page.wait_for_selector("#other .bars li")
        assert len(bucket) == 1
        assert [sent["image"] for sent in visit.sent[-2:]] == ["s3://b/uploads/x"] * 2

    def test_without_uploads_it_is_scaled_down(self, visit):
        visit.page.select_option("#model", "channels_float")
        visit.page.set_input_files("#file", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": photo()})
        assert visit.best() in ("red", "green", "blue")
        assert max(picture_sent(visit).size) < 200


class TestDrawing:
    @pytest.mark.parametrize("digit", DIGITS)
    def test_a_digit_drawn(self, visit, digit):
        visit.draw(*DIGITS[digit])
        assert visit.best() == digit

    def test_nothing_drawn(self, visit):
        visit.page.click("#recognise")
        assert visit.problem() == "Nothing is drawn yet."
        assert visit.sent == []

    def test_the_keyboard_alone(self, visit):
        page = visit.page
        page.on("filechooser", lambda _: None)  # now, for Playwright does not wait until Chromium heeds it
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "canvas":
                break
        page.keyboard.press("Space")
        assert page.inner_text("#summary") == "Pen down"
        for _ in range(11):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert visit.best() == "1"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "recognise"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # clear
        assert page.inner_text("#summary") == "The answer appears here."
        page.focus("#mode-picture")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(DATA_DIR / "seven.png")
        assert visit.best() == "7"


class TestModels:
    def test_another_model_is_asked_about_the_same_picture(self, visit):
        visit.drop("seven.png", "image/png", b64(SEVEN))
        visit.best()
        visit.page.select_option("#model", "channels_float")
        visit.page.locator("#trace", has_text="channels_float").wait_for()
        assert visit.best() in ("red", "green", "blue")
        assert visit.sent[-1]["model"] == "channels_float"
        assert "untrained" in visit.page.inner_text("#untrained")
        assert visit.page.is_hidden("#modes") and visit.page.is_hidden("#draw")

    def test_what_a_model_s_card_assumes_stands_beside_its_name(self, visit):
        assert visit.page.is_hidden("#assumed")
        visit.page.select_option("#model", "channels_float")
        assert visit.page.locator("header #assumed li").all_inner_texts() == [
            "Pixels: assumed to be scaled to -1..1; not known from the model.",
            "Resize: assumed to be <b>nearest</b>; usual.",
        ]
        assert "assumed" in (visit.page.get_attribute("#model", "aria-describedby") or "")
        visit.page.select_option("#model", "digits")
        assert visit.page.is_hidden("#assumed")

    def test_the_first_answer_of_a_process_says_that_it_was_a_cold_start(self, browser, tmp_path):
        with serving(tmp_path / "output.txt") as fresh:
            context = browser.new_context()
            opened = Visit(context, fresh.url)
            for is_cold in (True, False):
                opened.draw(*DIGITS["7"])
                opened.best()
                assert opened.page.is_visible("#cold") == is_cold
                opened.page.click("#clear")
            context.close()


class TestProblems:
    def test_what_is_no_picture(self, visit):
        visit.drop("paper.pdf", "application/pdf", b64(b"%PDF-1.7 ..."))
        said = visit.problem()
        assert "This looks like PDF" in said and "JPEG, PNG, WebP, GIF and BMP are accepted" in said
        assert visit.page.inner_text("#error .small").startswith("Request ")
        visit.console.clear()  # the browser itself logs that a request got a 415

    @pytest.mark.parametrize(
        ("data", "says"), [(b"", "is empty"), (bytes(4_000_001), "4.0 MB it is too large")], ids=["empty", "large"]
    )
    def test_what_is_not_worth_sending(self, visit, data, says):
        visit.drop("it.bin", "image/png", b64(data))
        assert says in visit.problem()
        assert visit.sent == []

    @pytest.mark.parametrize(
        ("reply", "says"),
        [
            ({"status": 504, "body": '{"message": "Endpoint request timed out"}'}, "The server took too long"),
            ({"status": 429, "body": '{"message": "Too Many Requests"}'}, "Too many requests at the moment"),
            ({"status": 502, "body": "<html>"}, "The server failed"),
            ({"status": 418, "body": ""}, "The server answered with status 418."),
            ({"status": 200, "body": "<html>"}, "The server answered with status 200."),
            (None, "The server cannot be reached"),
        ],
        ids=lambda value: str(value["status"]) if isinstance(value, dict) else "",
    )
    def test_what_a_gateway_says_for_the_app(self, visit, reply, says):
        headers = {"x-amzn-RequestId": "r-7"}
        answer = (lambda route: route.fulfill(**reply, headers=headers)) if reply else (lambda route: route.abort())
        visit.page.route("**/predict", answer)
        visit.draw(*DIGITS["1"])
        said = visit.problem()
        assert says in said and ("Request r-7" in said) == bool(reply)
        visit.console.clear()

    def test_models_that_do_not_load_are_asked_for_again(self, browser, server):
        context = browser.new_context()
        context.route("**/models", lambda route: route.abort())
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("#error > div")
        context.unroute("**/models")
        page.set_input_files("#file", DATA_DIR / "seven.png")
        page.wait_for_selector("#result:not([hidden])")
        assert page.locator("#bars li .label").first.inner_text() == "7"
        context.close()


class TestBehindAStage:
    @pytest.mark.parametrize("path", ["api/", "api"])
    def test_no_path_is_absolute(self, browser, server, path):
        """API Gateway serves the app below /api; a proxy in the browser stands for it."""
        context = browser.new_context()

        def strip(route: Any) -> None:
            inner = route.request.url.replace(f"{server.url}api", server.url.rstrip("/"), 1)
            route.fulfill(response=route.fetch(url=inner if inner != server.url.rstrip("/") else server.url))

        context.route(f"{server.url}api**", strip)
        context.route(f"{server.url}api/**", strip)
        opened = Visit(context, server.url + path)
        opened.draw(*DIGITS["7"])
        assert opened.best() == "7"
        assert set(opened.urls) == {server.url + path, f"{server.url}api/models", f"{server.url}api/predict"}
        context.close()


class TestStrictness:
    def test_the_policy_is_enforced(self, visit):
        run = """() => {
            const script = document.createElement("script");
            try { script.text = "window.foreign = 1"; document.body.append(script); } catch (error) { }
            try { document.body.innerHTML += "<p onclick='1'>"; } catch (error) { return [window.foreign, error.name]; }
            return [window.foreign, null];
        }"""
        assert visit.page.evaluate(run) == [None, "TypeError"]
        status = visit.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)")
        assert status == "TypeError"
        assert any("Content Security Policy" in line for line in visit.console)
        visit.console.clear()
        visit.urls = [url for url in visit.urls if not url.startswith("http://127.0.0.1:9/")]

    def test_it_is_one_small_response(self, visit):
        assert visit.response.headers["content-type"] == "text/html; charset=utf-8"
        assert len(visit.response.body()) < 60_000
        assert [url.rsplit("/", 1)[1] for url in visit.urls] == ["", "models"]

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 1280])
    def test_axe_finds_no_violation(self, browser, server, width, scheme):
        """In every state: drawing, an answer, a picture, an error."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True
        )
        opened = Visit(context, server.url)

        def check(state: str) -> None:
            results = axe.run(opened.page)
            assert results.violations_count == 0, f"{state}: {results.generate_report()}"

        check("at first")
        opened.draw(*DIGITS["7"])
        opened.best()
        opened.page.click("details summary")
        check("an answer")
        opened.page.select_option("#model", "channels_float")
        opened.page.set_input_files("#file", DATA_DIR / "seven.png")
        opened.best()
        check("a picture, an untrained model")
        opened.drop("x.pdf", "application/pdf", b64(b"%PDF"))
        opened.problem()
        check("an error")
        context.close()


def test_over_plain_http_the_page_is_the_files_joined(server: Server) -> None:
    with urllib.request.urlopen(server.url, timeout=30) as response:
        assert response.read() == page.document().text.encode()
        assert response.headers["X-Request-Id"]


class TestAbTest:
    def test_the_page_takes_part_and_says_who_spoke(self, browser, server, tmp_path):
        """B is the colour model and gets everybody; choosing a model by name is outside the test."""
        env = {"MODEL_DIR": str(server.output.parent / "models"), "AB_TEST": "digits,channels_float,1"}
        with serving(tmp_path / "output.txt", **env) as tested:
            context = browser.new_context()
            opened = Visit(context, tested.url)
            chosen = "document.querySelector('#model').selectedOptions[0].text"
            assert opened.page.evaluate(chosen) == "A/B test: digits or channels_float"
            opened.draw(*DIGITS["7"])
            assert opened.best() in ("red", "green", "blue")
            assert list(opened.sent[-1]) == ["image"]
            trace = opened.page.inner_text("#trace")
            assert "Model channels_float" in trace and "arm B of digits-vs-channels_float" in trace
            assert "?model=" not in opened.page.text_content("#curl")
            opened.page.select_option("#model", "digits")
            opened.draw(*DIGITS["7"])
            assert opened.best() == "7"
            assert opened.sent[-1]["model"] == "digits"
            assert "arm" not in opened.page.inner_text("#trace")
            assert opened.console == []
            context.close()
