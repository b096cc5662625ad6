"""What is sent, to what, and what is kept of the answers."""

import io
import json

import pytest
from PIL import Image

import app
from benchmarks.tune import __main__ as tune
from benchmarks.tune.bundles import MADE, UnknownBundle, lay_out, photograph, picture_for
from benchmarks.tune.deployment import configured, event_with
from benchmarks.tune.measure import WARM_PER_TURN, Measurement, Samples
from benchmarks.tune.plan import Configuration
from tests.support.toys import toy

ANSWER = """
import json, os, time
def handler(event, context):
    time.sleep(0.002)
    if event.get("hoard"):
        block = b"x" * (event["hoard"] * 2**20)
    timing_ms = {"inference": float(os.environ["NUM_THREADS"]), "total": 1.5}
    return {"statusCode": event.get("status", 200), "body": json.dumps({"timing_ms": timing_ms})}
"""
CHOSEN = Configuration("inception_v3", 512, 2)


@pytest.fixture
def measurement(host):
    return Measurement(host, toy(ANSWER), configured)


class TestSent:
    def test_a_photograph_is_as_large_as_one(self):
        data = photograph()
        assert 80_000 < len(data) < 130_000
        assert Image.open(io.BytesIO(data)).size == (500, 375)
        assert photograph() == data
        assert photograph(1) != data

    def test_the_event_is_answered_by_the_api(self):
        event = json.loads(event_with(picture_for("digits")))
        answer = app.app(event, None)
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"])["predictions"][0]["label"] == "7"

    def test_inception_gets_a_photograph(self):
        assert {picture_for(name) for name in MADE} == {photograph()}


class TestMeasurement:
    def test_a_turn_is_one_cold_start_and_some_warm_requests(self, measurement):
        found = measurement.run({CHOSEN: b"{}"}, range(2))[CHOSEN]
        assert (len(found.init_ms), len(found.first_ms), len(found.warm_ms)) == (2, 2, 2 * WARM_PER_TURN)
        assert min(found.warm_ms) >= 2
        assert set(found.inference_ms) == {2.0}  # NUM_THREADS
        assert len(found.quiet) == WARM_PER_TURN
        assert min(found.disturbed_ms) >= 0.5  # 2 ms at least, less the app's 1.5
        assert found.memory_mb > 0
        assert found.unfit is None

    def test_the_turns_that_other_programs_disturbed_least_count(self):
        disturbed_ms = [float(turn != 3) for turn in range(7) for _ in range(WARM_PER_TURN)]
        found = Samples(warm_ms=[1.0] * len(disturbed_ms), disturbed_ms=disturbed_ms)
        assert found.quiet == list(range(3 * WARM_PER_TURN, 4 * WARM_PER_TURN))

    def test_the_function_is_configured_as_planned(self):
        chosen = configured(toy(environment={"A": "1"}), CHOSEN)
        assert chosen.memory_mb == 512
        assert chosen.environment == {"A": "1", "MODEL_NAME": "inception_v3", "NUM_THREADS": "2"}

    def test_what_does_not_fit_is_tried_once(self, measurement):
        found = measurement.run({CHOSEN: b'{"hoard": 600}'}, range(3))[CHOSEN]
        assert found.unfit is not None
        assert found.unfit.startswith("does not fit: ")
        assert found.warm_ms == []

    def test_an_answer_that_is_an_error_ends_it(self, measurement):
        with pytest.raises(RuntimeError, match="the function answers 503"):
            measurement.run({CHOSEN: b'{"status": 503}'}, range(1))


class TestBundles:
    @pytest.fixture
    def project(self, tmp_path):
        made = tmp_path / "project"
        for name in (".chalice", "chalicelib", "models/mine"):
            (made / name).mkdir(parents=True)
        for name in ("app.py", "requirements.txt", "models/mine/model.json"):
            (made / name).touch()
        return made

    def test_what_is_installed_is_linked_with_the_code(self, project, tmp_path):
        assert lay_out([], tmp_path / "laid", project) == ["digits", "mine"]
        assert (tmp_path / "laid" / "models" / "mine" / "model.json").is_file()
        assert (tmp_path / "laid" / "app.py").is_file()

    def test_a_second_time_only_what_is_asked_for(self, project, tmp_path):
        lay_out(["mine"], tmp_path / "laid", project)
        assert lay_out(["digits"], tmp_path / "laid", project) == ["digits"]
        assert not list((tmp_path / "laid" / "models").iterdir())

    def test_an_unknown_name(self, project, tmp_path):
        known = "choose one of digits, inception_v3, inception_v3_int8, mine"
        with pytest.raises(UnknownBundle, match=f"--model other: no such bundle; {known}"):
            lay_out(["other"], tmp_path / "laid", project)


class TestCommandLine:
    @pytest.mark.parametrize("given", [["--memory", "64"], ["--memory", "1 GB"], ["--repetitions", "0"]])
    def test_what_cannot_be(self, given, capsys):
        with pytest.raises(SystemExit, match="2"):
            tune.main(given)
        assert repr(given[1]) in capsys.readouterr().err

    def test_an_unknown_bundle_is_one_line(self, capsys):
        assert tune.main(["--model", "nothing"]) == 2
        assert capsys.readouterr().err.startswith("error: --model nothing: no such bundle; choose one of ")
