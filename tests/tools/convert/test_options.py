"""What the user chooses goes before what the source chooses; the command line starts without TensorFlow."""

import subprocess
import sys
from pathlib import Path

from convert.__main__ import parser
from convert.options import NO_DEFAULTS, Defaults, Options
from tests.support.paths import ROOT

DEFAULTS = Defaults("int8", Path("training"), Path("held-out"))


def test_the_sources_defaults_fill_what_the_user_left_open() -> None:
    merged = Options("digits", crop=0.5).or_else(DEFAULTS)
    assert merged == Options(
        "digits", crop=0.5, quantize="int8", calibration=Path("training"), validation=Path("held-out")
    )


def test_the_users_choice_goes_first() -> None:
    chosen = Options("digits", quantize="float16", calibration=Path("a"), validation=Path("b"))
    assert chosen.or_else(DEFAULTS) == chosen


def test_a_source_without_defaults_changes_nothing() -> None:
    assert Options("digits").or_else(NO_DEFAULTS) == Options("digits")


def test_pictures_for_calibration_make_int8_the_default() -> None:
    pictures = Path("training")
    assert Options("digits").mode == "dynamic"
    assert Options("digits", calibration=pictures).mode == "int8"
    assert Options("digits", calibration=pictures, quantize="dynamic").mode == "dynamic"


def test_the_command_line_has_the_defaults_of_the_options() -> None:
    assert Options(**vars(parser().parse_args(["digits"]))) == Options("digits")


def test_the_command_line_loads_nothing_heavy() -> None:
    code = "import convert.__main__, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert not loaded & {"tensorflow", "keras", "ai_edge_litert", "ai_edge_quantizer", "numpy", "PIL", "rich", "h5py"}
