"""Pictures above a request's limit, from each client to an answer, against a deployed stage with a bucket.

The stage's model says "nearest", so that no client may scale a picture down.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chalicelib.client.main import main
from layers.pythons import own
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT, Deployer
from tests.support.browser import Visit
from tests.support.local_cloud import skipped_without_an_index
from tests.support.pages import ROOT
from tests.support.paths import SEVEN
from tests.whole.test_client_examples import UPLOADS, example, shell
from tests.whole.test_examples import JAVASCRIPT_HOST, OtherSite

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def deployed(cloud, tmp_path_factory):
    source = project.copy(PROJECT, tmp_path_factory.mktemp("project"))
    card = source / "chalicelib" / "models" / "digits" / "model.json"
    fields = json.loads(card.read_text(encoding="utf-8"))
    fields["input"]["resize"] = "nearest"
    card.write_text(json.dumps(fields), encoding="utf-8")
    built = ROOT / "build" / "layers"
    if built.is_dir():
        (source / "build").mkdir()
        (source / "build" / "layers").symlink_to(built)
    with skipped_without_an_index():
        return Deployer(cloud, own(), source, say=lambda line: None).deploy()


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    """A seven on paper: 12 MB, in a folder for itself."""
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    seven = np.asarray(Image.open(SEVEN).convert("RGB").resize((4200, 4200), Image.Resampling.BICUBIC))
    grain = np.random.default_rng(7).integers(-60, 60, seven.shape)
    Image.fromarray(np.clip(seven + grain, 0, 255).astype(np.uint8)).save(path, "JPEG", quality=96)
    assert path.stat().st_size > 12 * MEGABYTE
    return path


def test_the_page(browser, deployed, photo) -> None:
    context = browser.new_context()
    opened = Visit(context, deployed.url)
    if opened.page.is_visible("#mode-picture"):
        opened.page.click("#mode-picture")
    opened.page.set_input_files("#file", photo)
    opened.page.wait_for_selector("#result:not([hidden])", timeout=60_000)
    assert opened.best() == "7"
    assert "uploaded as it is: " in opened.page.inner_text("#sent")
    assert opened.sent[-1]["image"].startswith("s3://")
    assert opened.console == []
    policy = opened.response.headers["content-security-policy"]
    assert f"connect-src 'self' {deployed.url.partition('/restapis')[0]};" in policy
    context.close()


def test_the_command(deployed, photo, capsys) -> None:
    assert main([deployed.url, str(photo), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"][0]["label"] == "7"


class TestExamples:
    def test_curl(self, deployed, photo) -> None:
        if shutil.which("curl") is None or shutil.which("jq") is None:
            pytest.skip("curl or jq is not installed")
        command = ["bash", "-euo", "pipefail", "-c", shell(example(UPLOADS, "console", deployed.url))]
        printed = subprocess.run(command, cwd=photo.parent, capture_output=True, text=True, timeout=120, check=True)
        assert '"label":"7"' in printed.stdout

    def test_python(self, deployed, photo) -> None:
        pytest.importorskip("requests", reason="requests is not installed")
        command = [sys.executable, "-W", "error", "-c", example(UPLOADS, "python", deployed.url)]
        environment = {**os.environ, "PYTHONPATH": ""}
        printed = subprocess.run(
            command, cwd=photo.parent, env=environment, capture_output=True, text=True, timeout=120, check=True
        )
        assert printed.stdout.startswith("7 ")

    def test_javascript_in_a_page_of_another_origin(self, browser, deployed, photo) -> None:
        with HTTPServer(("127.0.0.1", 0), OtherSite) as site:
            threading.Thread(target=site.serve_forever, daemon=True).start()
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{site.server_port}/")
            page.set_input_files("input", photo)
            assert page.evaluate(JAVASCRIPT_HOST % example(UPLOADS, "js", deployed.url)).startswith("7 ")
            page.close()
            site.shutdown()
