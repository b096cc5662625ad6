"""The examples of docs/clients.md, each run as it stands there against `chalice local`.

Those of uploads need a bucket: test_clients_deployed.py.
"""

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import HTTPServer

import pytest

from tests.support.bundles import DATA_DIR
from tests.support.local_server import Server, serving
from tests.support.pages import DOCS, section, text_of
from tests.support.paths import ROOT
from tests.whole.test_examples import JAVASCRIPT_HOST, STATED_URL, OtherSite, run

PAGE = DOCS / "clients.md"
FORMS = ("JSON", "A picture's own bytes", "A form")
UPLOADS = "Above 4.4 MB"


def example(heading: str, language: str, url: str) -> str:
    """The one block of a language below a heading, pointed at `url`."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", section(PAGE, heading), re.S)
    assert STATED_URL in block
    return block.replace(STATED_URL, url.rstrip("/"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("clients") / "output.txt") as started:
        yield started


def shell(block: str) -> str:
    return "\n".join(re.sub(r"^\$ ", "", line) for line in block.splitlines())


def test_the_page_has_every_form_and_no_other() -> None:
    headings = re.findall(r"^## (.*)$", text_of(PAGE), re.M)
    assert headings == ["The address", "The page", "A command", *FORMS, UPLOADS]


@pytest.mark.parametrize("form", FORMS)
def test_curl(server: Server, form: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    assert '"label":"7"' in run(["bash", "-euo", "pipefail", "-c", shell(example(form, "console", server.url))])


@pytest.mark.parametrize("form", FORMS)
def test_python(server: Server, form: str) -> None:
    pytest.importorskip("requests", reason="requests is not installed")
    assert run([sys.executable, "-W", "error", "-c", example(form, "python", server.url)]).startswith("7 ")


@pytest.mark.parametrize("form", FORMS)
def test_javascript_in_a_page_of_another_origin(browser, server: Server, form: str) -> None:
    with HTTPServer(("127.0.0.1", 0), OtherSite) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{site.server_port}/")
        page.set_input_files("input", DATA_DIR / "seven.png")
        assert page.evaluate(JAVASCRIPT_HOST % example(form, "js", server.url)).startswith("7 ")
        page.close()
        site.shutdown()


def test_the_command(server: Server) -> None:
    block = example("A command", "console", server.url)
    command, *stated = block.removeprefix("$ ").splitlines()
    printed = subprocess.run(
        [sys.executable, *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert re.sub(r"\d\d\.\d\d%", "99.99%", printed).splitlines() == stated
