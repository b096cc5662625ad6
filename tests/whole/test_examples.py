"""The README's examples, each run as it stands there against `chalice local`."""

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.browser import chromium
from tests.support.bundles import DATA_DIR
from tests.support.local_server import Server, serving
from tests.support.paths import ROOT

STATED_URL = "http://127.0.0.1:8000"
JAVASCRIPT_HOST = """async () => {
    const said = [];
    const console = { log: (...words) => said.push(words.join(" ")) };
    await (async () => { %s })();
    return said.join("\\n");
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("examples") / "output.txt") as started:
        yield started


def examples(language: str, server: Server) -> list[str]:
    """The README's blocks of a language that ask STATED_URL, pointed at `server`; there must be at least one."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    found = [block.replace(STATED_URL, server.url.rstrip("/")) for block in blocks if STATED_URL in block]
    assert found, f"the README has no {language} example"
    return found


def run(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def test_curl(server: Server) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    for block in examples("console", server):
        commands = "\n".join(re.sub(r"^\$ ", "", line) for line in block.splitlines() if "make run" not in line)
        assert '"label":"7"' in run(["bash", "-euo", "pipefail", "-c", commands])


def test_python(server: Server) -> None:
    for block in examples("python", server):
        assert run([sys.executable, "-W", "error", "-c", block]).startswith("7 ")


class OtherSite(BaseHTTPRequestHandler):
    """A page of another origin: the same address, another port."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><input type=file>")

    def log_message(self, *args: object) -> None:
        pass


def test_javascript_in_a_page_of_another_origin(server: Server) -> None:
    with chromium() as browser, HTTPServer(("127.0.0.1", 0), OtherSite) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        for block in examples("js", server):
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{site.server_port}/")
            page.set_input_files("input", DATA_DIR / "seven.png")
            assert page.evaluate(JAVASCRIPT_HOST % block).startswith("7 ")
        browser.close()
        site.shutdown()
