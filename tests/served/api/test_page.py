import base64
import gzip
import hashlib
import re
import subprocess
import sys

from chalicelib.api import page
from chalicelib.api.views import Api
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.inference.store import ModelStore
from tests.support.paths import ROOT
from tests.support.requests import FakeRequest


class TestDocument:
    def test_it_is_small_and_whole(self):
        html = page.document().text
        assert html.startswith("<!doctype html>") and html.rstrip().endswith("</html>")
        assert len(html.encode()) < 60_000

    def test_a_browser_gets_16_kb(self):
        assert len(gzip.compress(page.document().text.encode(), 6)) < 17_000

    def test_every_file_of_it_is_in_it_and_short(self):
        html = page.document().text
        files = [path for path in page.WEB.iterdir() if path.name != "index.html"]
        assert len(files) > 5
        for path in files:
            assert path.read_text(encoding="utf-8") in html, path.name
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 225

    def test_nothing_in_it_comes_from_elsewhere(self):
        html = page.document().text
        assert set(re.findall(r"https?://[^\s'\"]+", html)) == {"http://www.w3.org/2000/svg"}
        assert not re.findall(r"<script [^>]*src|<link [^>]*stylesheet|@import|url\(", html)
        assert not re.findall(r" on\w+=| style=", html)

    def test_the_whole_policy(self):
        html, headers = page.document()
        hashes = {}
        for element in ("script", "style"):
            (content,) = re.findall(f"<{element}>(.*?)</{element}>", html, re.S)
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            hashes[element] = f"'sha256-{digest}'"
        assert headers["Content-Security-Policy"].split("; ") == [
            "default-src 'none'",
            f"script-src {hashes['script']}",
            f"style-src {hashes['style']}",
            "img-src blob: data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]

    def test_with_uploads_the_policy_allows_their_bucket_too(self):
        (alone, with_bucket) = (page.document(origin) for origin in (None, "https://b.s3.eu-west-1.amazonaws.com"))
        assert with_bucket.text == alone.text
        before, after = (one.headers["Content-Security-Policy"].split("; ") for one in (alone, with_bucket))
        assert set(after) - set(before) == {"connect-src 'self' https://b.s3.eu-west-1.amazonaws.com"}

    def test_the_bucket_is_that_of_the_stage(self):
        settings = Settings(in_lambda=True, batch_prefix="slimception-dev")
        services = BatchServices(settings, ModelStore(settings))
        api = Api(settings, ModelStore(settings), services)
        policies = []
        for arn in (None, "arn:aws:lambda:eu-west-1:123456789012:function:slimception-dev"):
            services.function_arn = arn
            policies.append(api.page(FakeRequest(path="/")).headers["Content-Security-Policy"])
        origin = "https://slimception-dev-123456789012-eu-west-1.s3.eu-west-1.amazonaws.com"
        assert "connect-src 'self';" in policies[0] and f"connect-src 'self' {origin};" in policies[1]

    def test_importing_app_does_not_read_it(self):
        script = "import app, sys; assert not {'chalicelib.api.page', 'chalicelib.api.openapi'} & set(sys.modules)"
        run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr

    def test_it_is_read_once(self):
        assert page.document() is page.document()


class TestRoute:
    def test_the_response(self, client):
        response = client.http.get("/", headers={"Accept": "text/html,image/webp,*/*;q=0.8"})
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers["Cache-Control"] == "public, max-age=600"
        assert response.body.decode() == page.document().text

    def test_it_leaves_one_line_with_the_answers_id(self, serve, models_dir, log_lines):
        serve(models_dir)
        from chalicelib import runtime

        response = runtime.api.page(FakeRequest(path="/", context={"requestId": "r-3"}))
        (line,) = log_lines()
        assert (line["request_id"], line["path"], line["status"]) == ("r-3", "/", 200)
        assert response.headers["X-Request-Id"] == "r-3"
