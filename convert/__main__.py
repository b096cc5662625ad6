"""`python -m convert SOURCE`: turn a trained classifier into a bundle that the app serves."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from textwrap import fill

from chalicelib.errors import SlimceptionError
from chalicelib.inference.card import RESIZES, SCORES
from convert.arguments import channels, count, keep_float, name, share, size, sizes
from convert.contract.findings import PREPROCESS
from convert.errors import ConvertError, LowAgreementError
from convert.modes import DEFAULT_MODE, MODE_WITH_PICTURES, MODES
from convert.opening.networks import NETWORKS
from convert.options import Options

USAGE_ERROR, LOW_AGREEMENT = 2, 1
_EXAMPLES = f"""
sources:
  inception_v3      Inception v3 of keras.applications; see --weights. Its other networks likewise:
{fill(", ".join(NETWORKS), 100, initial_indent=" " * 20, subsequent_indent=" " * 20)}
  digits            train the embedded default on scikit-learn's handwritten digits
  FILE.keras, .h5   a whole model of Keras 3 or Keras 2
  FILE.tflite       a TensorFlow Lite model, float or quantised already
  DIR               a SavedModel, or a TensorFlow.js layers model (model.json and its weights)
  DIR, FILE.zip     a folder or zip that holds exactly one of these; what counts is content, not names

examples:
  python -m convert inception_v3
  python -m convert my_model.keras --labels labels.txt --preprocess torch --validation pictures/
  python -m convert inception_v3 --quantize int8 --calibration pictures/
"""


def parser() -> argparse.ArgumentParser:
    """The command line: each argument is a field of `Options`, and has its default."""
    p = argparse.ArgumentParser(
        prog="python -m convert",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("source", metavar="SOURCE", help="the model to convert, see below")
    p.add_argument("--weights", help="for a network by its name: imagenet (default), none, or a file")
    p.add_argument(
        "--quantize",
        choices=MODES,
        help=f"default: {MODE_WITH_PICTURES} with --calibration, else {DEFAULT_MODE}; "
        "a quantised .tflite is kept as it is",
    )
    p.add_argument("--calibration", type=Path, metavar="DIR", help="pictures on which int8 measures ranges")
    p.add_argument("--validation", type=Path, metavar="DIR", help="pictures on which bundle and source are compared")
    p.add_argument(
        "--validation-limit", type=count, metavar="N", help="compare at most N pictures (default %(default)s)"
    )
    p.add_argument(
        "--min-agreement",
        type=share,
        metavar="SHARE",
        help="fail if bundle and source agree on a smaller share of the pictures (default %(default)s)",
    )
    p.add_argument(
        "--max-difference",
        type=share,
        metavar="SCORE",
        help="fail if one score of bundle and source differs by more on any of them (default %(default)s)",
    )
    p.add_argument(
        "--keep-float",
        type=keep_float,
        metavar="auto|N|REGEX",
        help="layers that stay in float: as few as the two limits above need, the N worst, or those of such a name",
    )
    p.add_argument("--explain", action="store_true", help="show how far each layer is from float, worst first")
    p.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="one label on each line, in the order of the outputs; or JSON, or CSV",
    )
    p.add_argument(
        "--preprocess",
        choices=tuple(PREPROCESS),
        help="how the pixels were scaled in training: to -1..1 (tf), to 0..1 (unit), not at all (none), ...",
    )
    p.add_argument("--mean", type=channels, metavar="N[,N,N]", help="instead: what was subtracted from 0..255")
    p.add_argument("--std", type=channels, metavar="N[,N,N]", help="and what the differences were divided by")
    p.add_argument("--resize", choices=RESIZES, help="how pictures were resized in training (default: bilinear)")
    p.add_argument(
        "--input-size",
        type=size,
        metavar="N|WxH",
        help="pixels a side: needed if the network leaves its size open, else for smaller pictures and cheaper answers",
    )
    p.add_argument(
        "--sizes",
        type=sizes,
        metavar="N,N,...",
        help="compare these sizes on --validation; write the cheapest good one, and a curve of them all",
    )
    p.add_argument("--scores", choices=SCORES, help="what the output means, if the model does not show it")
    p.add_argument("--output", metavar="NAME", help="which output holds the scores, if there are several")
    p.add_argument(
        "--crop",
        type=share,
        metavar="SHARE",
        help="share of the shorter side to keep; 1 squeezes the whole picture",
    )
    p.add_argument("--name", type=name, help="the bundle's name (default: the source's)")
    p.add_argument("--out", type=Path, metavar="DIR", help="write the bundle to DIR/NAME (default %(default)s)")
    p.add_argument("--no-rewrite", dest="rewrite", action="store_false", help="keep the graph as it was exported")
    p.set_defaults(**{field.name: field.default for field in fields(Options) if field.default is not MISSING})
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert; returns the exit code: 0, 1 if the bundle disagrees with its source, 2 for any other failure."""
    options = Options(**vars(parser().parse_args(arguments)))
    try:
        if options.sizes:
            _compare(options)
        else:
            _run(options)
    except LowAgreementError as error:
        print(f"convert: {error}", file=sys.stderr)
        return LOW_AGREEMENT
    except (ConvertError, SlimceptionError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:
        print(f"convert: {error.filename or options.out}: {error.strerror}; nothing was written", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("convert: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


def _run(options: Options) -> None:
    with _needs_its_packages():
        from convert import pipeline, screen
        from convert.opening.opened import opened
    with opened(options) as source:
        converted = pipeline.convert(source, options)
        screen.layers(converted.layers)
        screen.result(converted.card, options.out / source.name, converted.notes)


def _compare(options: Options) -> None:
    with _needs_its_packages():
        from convert import screen
        from convert.sizes import curve, table
        from convert.sizes.comparison import compare
    compared = compare(options)
    best, drawn = compared.best, options.out / f"{compared.best.card.name}-sizes.svg"
    drawn.write_text(curve.svg(compared, options.min_agreement), encoding="utf-8")
    screen.result(best.card, options.out / best.card.name, best.notes)
    table.show(compared, options, drawn)


@contextmanager
def _needs_its_packages() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConvertError(f"{error.name} is not installed: run `make convert-env`") from error


if __name__ == "__main__":
    sys.exit(main())
