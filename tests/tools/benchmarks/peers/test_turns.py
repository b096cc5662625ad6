"""Processes of several engines take turns; LiteRT answers in a process of its own as it does here."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import machine
from benchmarks.peers import __main__, turns
from benchmarks.peers.models import Model, Prepared
from benchmarks.peers.needs import agreement, needs
from benchmarks.peers.sources import Network, Pictures, networks, with_mirrored
from chalicelib.inference.registry import load_bundle
from localaws.errors import ProcessorMissing
from localaws.processor.mask import Shown
from tests.support.paths import ROOT

AVX2 = Shown("avx2", {}, None, "AVX2 (X, all it has)", None)
MASKED = Shown("avx2", {"MARK": "masked"}, ROOT / "mask.so", "AVX2 shown of AVX-512 VNNI (X)", None)
NATIVE = Shown("native", {}, None, "AVX-512 VNNI (X, all it has)", "more than Lambda promises, which is AVX2")
DIGITS = ROOT / "chalicelib" / "models" / "digits"


@pytest.fixture
def digits():
    """The embedded model as a row, and what is judged: four of its pictures of noise."""
    bundle = load_bundle(DIGITS)
    return Model("LiteRT", "dynamic", "litert", Path(sys.executable), bundle.model_path, bundle.card.output)


@pytest.fixture
def levels(monkeypatch):
    """What this machine shows, by level; a text is the reason why not."""

    def of(shown):
        def show(level):
            if isinstance(shown[level], str):
                raise ProcessorMissing(shown[level])
            return shown[level]

        monkeypatch.setattr(machine, "show", show)

    return of


class TestChosen:
    def test_each_that_differs(self, levels):
        levels({"avx2": MASKED, "avx512": "no AVX-512 here", "native": NATIVE})
        assert machine.those_shown(["avx2", "avx512", "native"]) == ([MASKED, NATIVE], {"avx512": "no AVX-512 here"})

    def test_the_same_is_not_measured_twice(self, levels):
        levels({"avx2": AVX2, "native": AVX2._replace(level="native")})
        found, left_out = machine.those_shown(["avx2", "native"])
        assert found == [AVX2]
        assert left_out == {"native": "the same as avx2 here: AVX2 (X, all it has)"}

    def test_nothing_can_be_shown(self, levels, capsys):
        levels({"avx512": "--processor avx512: none"})
        assert __main__.main(["--processor", "avx512"]) == 2
        assert capsys.readouterr().err == "error: --processor avx512: none\n"


class TestTurns:
    def test_processes_take_turns_under_their_own_masks(self, tmp_path, monkeypatch, digits):
        """A worker that answers with the length of what was written before it shows the order."""
        worker = (
            "import os, sys\n"
            f"log = open({str(tmp_path / 'log')!r}, 'a+')\n"
            "engine, threads, pictures, path = sys.argv[1:]\n"
            "for _ in sys.stdin:\n"
            "    log.write(f\"{engine}-{threads}-{os.environ.get('MARK', 'none')} \"); log.flush()\n"
            f"    print(len(open({str(tmp_path / 'log')!r}).read().split()), flush=True)\n"
        )
        monkeypatch.setattr(turns, "WORKER", ("-c", worker))
        shown = [MASKED._replace(library=tmp_path / "none.so"), NATIVE]
        other = digits.__class__("Other", "int8", "other", *list(vars(digits).values())[3:])
        found = turns.measure(shown, [digits, other], [1, 2], tmp_path, range(3))
        one = ["litert-1-masked", "litert-1-none", "other-1-masked", "other-1-none"]
        assert (tmp_path / "log").read_text().split() == [*one, *(name.replace("-1-", "-2-") for name in one)] * 3
        assert found["avx2"]["LiteRT dynamic"] == {1: (9.0, 1.0), 2: (13.0, 5.0)}  # median and least of 1, 9 and 17
        assert found["native"]["Other int8"] == {1: (12.0, 4.0), 2: (16.0, 8.0)}

    def test_a_process_that_ends_is_named(self, tmp_path, monkeypatch, digits):
        monkeypatch.setattr(turns, "WORKER", ("-c", "raise SystemExit(3)"))
        with pytest.raises(SystemExit, match="LiteRT dynamic, 1 threads, avx2: the measuring process ended with 3"):
            turns.measure([AVX2], [digits], [1], tmp_path, range(1))


@pytest.fixture
def prepared(tmp_path, digits):
    """The embedded model on pictures of noise, expected to answer as the served code does."""
    from chalicelib.inference.classifier import Classifier
    from chalicelib.inference.engine import find_engine

    served = Classifier(load_bundle(DIGITS), find_engine("litert"), num_threads=1)
    spec = served.card.input
    pixels = np.random.default_rng(0).integers(0, 256, (4, spec.height, spec.width, spec.channels), np.uint8)
    judged = (pixels - np.array(spec.mean)) / np.array(spec.std)
    np.save(tmp_path / "judged.npy", judged.astype(np.float32))
    expected = np.stack([served.scores(each) for each in pixels])
    return Prepared(Network("digits", "Digits", {}, True), [digits], tmp_path / "judged.npy", expected, {})


def test_a_process_answers_as_the_served_code_does(prepared):
    (model,) = prepared.models
    found = agreement(model, prepared, Shown("native", {}, None, "", None))
    assert (found.pictures, found.same_first) == (4, 1.0)
    assert found.largest_difference < 1e-5


def test_a_model_for_smaller_pictures_is_judged_and_measured_on_its_own(prepared, tmp_path):
    """Its picture has another side than the network's, which the engine would refuse."""
    native = Shown("native", {}, None, "", None)
    (model,) = prepared.models
    own = replace(model, mode="at 48 px", judged=prepared.judged)
    np.save(tmp_path / "larger.npy", np.zeros((4, 60, 60, 1), np.float32))
    others = replace(prepared, models=[own], judged=tmp_path / "larger.npy")
    assert agreement(own, others, native).same_first == 1.0
    assert needs(own, others, native).peak_mb > 20
    times = turns.measure([native], [own], [1], others.judged, range(2))
    assert times["native"]["LiteRT at 48 px"][1].fastest > 0
    with pytest.raises(SystemExit):
        agreement(model, others, native)


def test_what_a_process_needs(prepared):
    (model,) = prepared.models
    found = needs(model, prepared, Shown("native", {}, None, "", None))
    assert 20 < found.peak_mb < 500
    assert 10 < found.loaded.unzipped_mb < found.packages.unzipped_mb < 250
    assert found.packages.zipped_mb < found.packages.unzipped_mb


def test_a_worker_measures_every_model_for_each_line(prepared):
    (model,) = prepared.models
    times = turns.measure([Shown("native", {}, None, "", None)], [model], [1, 2], prepared.judged, range(2))
    assert json.loads(json.dumps(times))["native"]["LiteRT dynamic"].keys() == {"1", "2"}
    assert all(0 < timed.fastest <= timed.median for timed in times["native"]["LiteRT dynamic"].values())


class TestSources:
    def test_without_data_the_weights_are_random(self, tmp_path):
        found = networks(None)
        assert [(network.name, network.trained) for network in found] == [
            ("inception_v3", False),
            ("mobilenet_v2", False),
        ]
        assert all(network.options["weights"] == "none" for network in found)
        assert networks(tmp_path) == found

    def test_with_data_they_are_the_trained_ones(self, tmp_path):
        (tmp_path / "tfjs" / "nsfwjs_mobilenet_v2").mkdir(parents=True)
        assert [network.trained for network in networks(tmp_path)] == [False, True]

    def test_no_picture_is_in_both_folders(self, tmp_path):
        found = Pictures.prepare(None, tmp_path)
        calibration, judged = (
            {path.read_bytes() for path in folder.iterdir()} for folder in (found.calibration, found.judged)
        )
        assert len(calibration) == len(judged) == 4 and not calibration & judged

    def test_mirrored_pictures_come_after_the_others(self):
        pictures = np.arange(2 * 2 * 2 * 3, dtype=np.float32).reshape(2, 2, 2, 3)
        found = with_mirrored(pictures)
        assert found.shape == (4, 2, 2, 3)
        assert (found[2, :, 0] == pictures[0, :, 1]).all()
