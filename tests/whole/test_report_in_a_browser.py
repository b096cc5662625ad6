"""The report's page in headless Chromium: it fits, it is accessible, and its policy holds."""

import pytest

from chalicelib.workflow.report.html import page
from tests.served.workflow.report.test_html import REPORTS


class TestInABrowser:
    @pytest.mark.parametrize(
        ("name", "width", "scheme"),
        [
            *((name, 360, "light") for name in REPORTS),
            *((name, width, scheme) for name in ("all", "few") for width, scheme in ((1280, "light"), (360, "dark"))),
            ("all", 1280, "dark"),
        ],
    )
    def test_it_makes_no_request_has_no_error_and_fits(self, browser, tmp_path, name, width, scheme):
        file = tmp_path / "report.html"
        file.write_text(page(REPORTS[name]()), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
        opened, said, asked = context.new_page(), [], []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("dialog", lambda dialog: said.append(dialog.message))
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(file.as_uri())
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
        results = axe.run(opened)
        assert results.violations_count == 0, results.generate_report()
        assert said == [] and {url.partition(":")[0] for url in asked} <= {"file", "data"}
        context.close()

    def test_its_policy_allows_its_style_and_nothing_else(self, browser, tmp_path):
        file = tmp_path / "report.html"
        file.write_text(page(REPORTS["all"]()), encoding="utf-8")
        opened = browser.new_page()
        said: list[str] = []
        opened.on("console", lambda message: said.append(message.text))
        opened.goto(file.as_uri())
        assert said == []
        assert opened.evaluate("getComputedStyle(document.querySelector('section')).borderTopLeftRadius") == "16px"
        opened.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/\">')")
        opened.wait_for_function("document.images[0].complete")
        assert any("Content Security Policy" in line for line in said)
        opened.close()
