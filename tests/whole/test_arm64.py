"""The whole app on arm64 as Lambda lays it out: emulated, /sys hidden, with the layer's library and without it."""

import base64
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client
from PIL import Image

import app
from benchmarks.arm64.counting import Counter, Counts
from layers.build.function import function_contents
from layers.cpulist import library
from layers.emulator.emulator import Emulator
from layers.emulator.root import PYTHON
from layers.errors import EmulatorError
from layers.sandbox.bubblewrap import why_not
from layers.targets import Target, target
from localaws.errors import CompilerMissing, PackagesMissing
from localaws.host import packages
from localaws.host.function import Archive, Function
from localaws.host.lambda_host import LambdaHost
from tests.support.paths import ROOT, SEVEN
from tests.support.toys import zip_of

WITH_LIBRARY, WITHOUT = {library.VARIABLE: library.preload("arm64")}, dict[str, str]()
LARGEST_DIFFERENCE = 0.02
"""Of a score, from x86_64's."""
LARGEST_RATIO = 0.36
"""Of the instructions with the library to those without it."""
INFERENCES = 20
DIGITS = ROOT / "chalicelib/models/digits/model.tflite"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def layer(build_real: Callable[[Target], Path], arm64: Emulator) -> Path:
    """The runtime layer, where it can be run without /sys."""
    wanted = target(PYTHON, "arm64")
    if wanted.is_this_machine:
        pytest.skip("arm64 runs here, with this machine's /sys")
    if reason := why_not(arm64.interpreter):
        pytest.skip(reason)
    try:
        packages.install(arm64.interpreter)
    except PackagesMissing as error:
        pytest.skip(str(error))
    return build_real(wanted)


@pytest.fixture(scope="module")
def ask(layer: Path) -> Iterator[Ask]:
    """Send one request to the deployed function, with these variables; gives the response's body."""
    contents = function_contents(ROOT)
    code = Archive.of(zip_of({name: contents.read(name) for name in contents.sizes}))

    def send(environment: Mapping[str, str], method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        function = Function(
            "app", code, f"python{PYTHON}", architecture="arm64", layers=(Archive.read(layer),),
            memory_mb=1769, timeout_s=30, environment=environment,
        )  # fmt: skip
        result = host.invoke(function, json.dumps(event(method, path, body)).encode())
        assert result.function_error is None, result.log
        response: Any = result.json()
        assert response["statusCode"] == 200, response["body"]
        answered: dict[str, Any] = json.loads(response["body"])
        return answered

    with LambdaHost(max_instances=1) as host:
        yield send


def event(method: str, path: str, body: bytes | None) -> dict[str, Any]:
    """What Chalice reads of API Gateway's event."""
    return {
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "image/png"} if body else {},
        "multiValueQueryStringParameters": {"top_k": ["10"]} if body else None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": path, "httpMethod": method, "stage": "api"},
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": body is not None,
    }


def samples() -> dict[str, bytes]:
    """The sample picture as it is, mirrored and turned."""
    turned = {"as it is": SEVEN.read_bytes()}
    for way in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180):
        buffer = io.BytesIO()
        with Image.open(SEVEN) as image:
            image.transpose(way).save(buffer, "PNG")
        turned[way.name] = buffer.getvalue()
    return turned


def scores(answer: dict[str, Any]) -> dict[str, float]:
    return {one["label"]: one["score"] for one in answer["predictions"]}


def test_without_the_library_health_says_that_xnnpack_is_missing(ask: Ask) -> None:
    health = ask(WITHOUT, "GET", "/health")
    assert (health["status"], health["delegate"]["partitions"]) == ("ok", 0)
    [warning] = health["warnings"]
    assert warning.startswith("model 'digits' runs without XNNPACK and is several times slower")
    assert "set LD_PRELOAD to the library in the arm64 layer" in warning


def test_with_it_the_delegate_is_there_and_the_answers_are_those_of_x86_64(ask: Ask) -> None:
    health = ask(WITH_LIBRARY, "GET", "/health")
    assert "asimddp" in health["runtime"]["features"] and "i8mm" not in health["runtime"]["features"]
    assert health["delegate"]["partitions"] >= 1 and health["warnings"] == []
    with Client(app.app, project_dir=str(ROOT)) as here:
        for name, picture in samples().items():
            ours = scores(ask(WITH_LIBRARY, "POST", "/predict/image", picture))
            headers = {"Content-Type": "image/png"}
            theirs = scores(here.http.post("/predict/image?top_k=10", headers=headers, body=picture).json_body)
            assert len(ours) == 10 and next(iter(ours)) == next(iter(theirs)), name
            assert max(abs(ours[label] - theirs[label]) for label in theirs) <= LARGEST_DIFFERENCE, name


def test_it_saves_two_thirds_of_the_instructions(layer: Path, arm64: Emulator, tmp_path: Path) -> None:
    with zipfile.ZipFile(layer) as archive:
        archive.extractall(tmp_path)

    def counted(preloaded: Path | None) -> Counts:
        counter = Counter(arm64, tmp_path / "python", has_sys=False, preloaded=preloaded)
        return counter.one_inference(DIGITS, INFERENCES)

    try:
        without, with_library = counted(None), counted(tmp_path / library.PATH)
    except (EmulatorError, CompilerMissing) as error:
        if "does not run under" in str(error):
            raise
        pytest.skip(str(error))
    assert without.dot == 0 and with_library.dot > 0
    assert with_library.all <= LARGEST_RATIO * without.all
