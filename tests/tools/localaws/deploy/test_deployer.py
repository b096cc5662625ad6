"""Deploying a small Chalice project with `chalice deploy` itself."""

import json
import urllib.request
from pathlib import Path

import pytest

from layers.pythons import Interpreter, own
from localaws.deploy.deployer import Deployer
from localaws.errors import DeployFailed
from localaws.host import emulation

APP = """
from chalice import Chalice
from chalicelib.answer import ANSWER

app = Chalice(app_name="small")

@app.route("/")
def index():
    return {"answer": ANSWER}
"""


@pytest.fixture
def source(tmp_path):
    """A project that has a real deployment on record."""
    config = {"version": "2.0", "app_name": "small", "stages": {"dev": {"api_gateway_stage": "v1"}}}
    files = {
        "app.py": APP,
        "requirements.txt": "",
        "chalicelib/__init__.py": "",
        "chalicelib/answer.py": "ANSWER = 41",
        ".chalice/config.json": json.dumps(config),
        ".chalice/deployed/dev.json": '{"resources": "of a real account"}',
    }
    for name, content in files.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "source"


@pytest.fixture
def lines():
    return []


@pytest.fixture
def deployer(cloud, source, lines):
    return Deployer(cloud, own(), source, say=lines.append)


def contents(folder):
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


def get(url):
    with urllib.request.urlopen(url, timeout=60) as response:
        return json.load(response)


def test_deployed_served_changed_and_deployed_again(deployer, source, lines):
    before = contents(source)
    deployed = deployer.deploy(with_layers=False)
    assert get(deployed.url) == {"answer": 41}
    assert deployed.functions == ("small-dev",)
    assert deployed.url.endswith(f"/restapis/{deployed.api_id}/v1/_user_request_/")
    assert contents(source) == before

    (source / "chalicelib" / "answer.py").write_text("ANSWER = 42")
    again = deployer.deploy(with_layers=False)
    assert again == deployed
    assert get(again.url) == {"answer": 42}
    assert any("Updating lambda function" in line for line in lines)


def test_no_credentials_or_profile_of_the_developer_are_used(deployer, monkeypatch, source):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    assert deployer.deploy(with_layers=False).api_id


def test_a_project_that_does_not_import(deployer, source):
    (source / "app.py").write_text("import no_such_module")
    with pytest.raises(DeployFailed, match=r"chalice deploy ended with code \d: .*no_such_module"):
        deployer.deploy(with_layers=False)


def test_a_project_without_a_route(deployer, source):
    (source / "app.py").write_text("from chalice import Chalice\napp = Chalice(app_name='small')")
    with pytest.raises(DeployFailed, match="has no REST API"):
        deployer.deploy(with_layers=False)


@pytest.mark.skipif(len(emulation.ARCHITECTURES) == 1, reason="arm64 runs here")
class TestArm64:
    def test_its_layers_are_built(self, cloud):
        deployer = Deployer(cloud, Interpreter(Path("/python"), "3.13"), arch="arm64")
        assert deployer.layer_options() == (["--python", "3.13", "--arch", "arm64"], "runtime-py313-arm64.zip")
        assert Deployer(cloud, deployer.interpreter).layer_options()[0][-1] == emulation.ARCHITECTURES[0]

    def test_not_for_a_python_that_lambda_does_not_have(self, cloud, monkeypatch):
        monkeypatch.setattr("localaws.deploy.deployer.LAMBDA_PYTHONS", ("3.99",))
        with pytest.raises(DeployFailed, match=r"layers for this machine alone: choose one of 3\.99"):
            Deployer(cloud, own(), arch="arm64").layer_options()


def test_layers_that_cannot_be_built(deployer, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DeployFailed, match=r"layers build ended with code 2: .*"):
        deployer.deploy()
