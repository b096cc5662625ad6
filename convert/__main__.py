"""`python -m convert SOURCE`: put a trained classifier into a bundle that the app serves."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from chalicelib.errors import SlimceptionError
from convert.errors import ConvertError

USAGE_ERROR, LOW_AGREEMENT = 2, 1
MIN_AGREEMENT = 0.9
"""Share of pictures on which bundle and source must name the same class.

Healthy 8-bit networks differ from their float source on a few pictures of 100, nearly all of them toss-ups;
a wrong calibration falls far below. A wrong preprocessing does not show here, for both see the same pixels.
"""
_EXAMPLES = """
sources:
  inception_v3      Inception v3 of Keras applications; see --weights
  digits            train the embedded default on scikit-learn's handwritten digits
  FILE.keras, .h5   a whole Keras model
  FILE.tflite       a TensorFlow Lite model, float or quantised already
  DIR               a SavedModel

examples:
  python -m convert inception_v3
  python -m convert my_model.keras --labels labels.txt --preprocess torch --validation pictures/
  python -m convert inception_v3 --quantize int8 --calibration pictures/
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    modes = ("dynamic", "int8", "float16", "float32")
    p = argparse.ArgumentParser(
        prog="python -m convert",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("source", metavar="SOURCE", help="what to convert, see below")
    p.add_argument("--weights", default="imagenet", help="for inception_v3: imagenet (default), none, or a file")
    p.add_argument("--quantize", choices=modes, help="default: dynamic; a quantised .tflite is kept as it is")
    p.add_argument("--calibration", type=Path, metavar="DIR", help="pictures on which int8 measures ranges")
    p.add_argument("--validation", type=Path, metavar="DIR", help="pictures on which bundle and source are compared")
    p.add_argument(
        "--validation-limit", type=int, default=500, metavar="N", help="at most so many of them (default 500)"
    )
    p.add_argument(
        "--min-agreement", type=_share, default=MIN_AGREEMENT, metavar="SHARE", help="fail below it (%(default)s)"
    )
    p.add_argument(
        "--labels", type=Path, metavar="FILE", help="one label a line; an answer's index is the line, from 0"
    )
    p.add_argument(
        "--preprocess", choices=("tf", "torch", "caffe", "none"), help="how the model was trained to see pixels"
    )
    p.add_argument(
        "--crop", type=_share, metavar="SHARE", help="share of the shorter side kept; 1 squeezes the whole picture"
    )
    p.add_argument("--name", type=_name, help="the bundle's name (default: the source's)")
    p.add_argument(
        "--out", type=Path, default=Path("models"), metavar="DIR", help="the bundle goes to DIR/NAME (default models)"
    )
    p.add_argument("--no-rewrite", dest="rewrite", action="store_false", help="keep the graph as it was exported")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert; returns the exit code: 0, 1 when the bundle disagrees with its source, 2 for any other failure."""
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except (ConvertError, SlimceptionError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return LOW_AGREEMENT if type(error).__name__ == "LowAgreementError" else USAGE_ERROR
    except OSError as error:
        print(f"convert: {error.filename or options.out}: {error.strerror}; nothing was written", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("convert: interrupted; nothing was written", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    try:
        from convert import opening, pipeline, screen
    except ImportError as error:
        raise ConvertError(f"{error.name} is not installed: run `make convert-env`") from error
    with opening.opened(options) as source:
        card = pipeline.convert(source, options)
        screen.result(card, str(options.out / source.name), source.notes)
    return 0


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a share between 0 and 1")
    return value


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: letters, digits, '.', '_' and '-' make a name")
    return text


if __name__ == "__main__":
    sys.exit(main())
