"""The model card, `model.json`: everything that a model needs apart from its weights and its labels.

A card is checked as strictly as a request. Its values reach every answer, so that one that is no JSON, or nested too
deeply to be copied, would break the answers about other models, too.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

from chalicelib.errors import ModelError, shown

MAX_SIDE_PX = 4096
"""Of the input: a float32 input of this size has 200 MB. The largest classifiers take some 600 px."""
MAX_CLASSES = 100_000
"""The largest public label set, ImageNet-21k, has 21,841."""
MAX_VALUE, MIN_STD = 1e6, 1e-6
"""Of mean and standard deviation: float16 and float32 hold what (0..255 - mean) / std then gives, or round it to 0."""
MAX_SIZE_BYTES = 2**40
MAX_TEXT = 1000
"""Characters of the card's own texts."""
MAX_DEPTH = 8
"""Lists and objects inside each other in `source` and `verification`."""
Color = Literal["RGB", "BGR", "L"]
Resize = Literal["bilinear", "area", "nearest", "tf-bilinear"]
Scores = Literal["probabilities", "logits", "sigmoid"]
COLORS: tuple[Color, ...] = get_args(Color)
RESIZES: tuple[Resize, ...] = get_args(Resize)
SCORES: tuple[Scores, ...] = get_args(Scores)


class InputSpec(NamedTuple):
    """How a picture becomes the model's input.

    The centred box of the input's aspect ratio that covers `crop` of the picture is kept; a `crop` of 1 keeps the
    whole picture and squeezes it. The box is resized to `width` x `height` px and put into `color` order. Each channel
    becomes `(value - mean) / std`, where `value` is in 0..255. `resize` "bilinear" and "area" are Pillow's BILINEAR and
    BOX, which average many pixels; "nearest" (Keras's `load_img`) takes one, "tf-bilinear" (`tf.image.resize`) four.
    """

    width: int
    height: int
    color: Color
    crop: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: Resize = "bilinear"

    @property
    def channels(self) -> int:
        """1 for grey ("L"), else 3."""
        return 1 if self.color == "L" else 3

    def checked(self) -> "InputSpec":
        """Itself; raises ModelError for a value that cannot be served."""
        sides = f"input is {self.width!r:.60}x{self.height!r:.60}, expected whole numbers of 1 to {MAX_SIDE_PX}"
        _require(_is_whole(self.width, 1, MAX_SIDE_PX) and _is_whole(self.height, 1, MAX_SIDE_PX), sides)
        _require(self.color in COLORS, f"input.color is {self.color!r:.60}, expected one of {', '.join(COLORS)}")
        _require(self.resize in RESIZES, f"input.resize is {self.resize!r:.60}, expected one of {', '.join(RESIZES)}")
        _require(0 < self.crop <= 1, f"input.crop is {self.crop}, expected more than 0 and at most 1")
        for name, values in (("mean", self.mean), ("std", self.std)):
            found = f"input.{name} has {len(values)} values for {self.channels} channels"
            _require(len(values) == self.channels, found)
            fit = all(-MAX_VALUE <= value <= MAX_VALUE for value in values)
            _require(fit, f"input.{name} is {list(values)}, expected numbers of at most {MAX_VALUE:,.0f}")
        divides = all(abs(value) >= MIN_STD for value in self.std)
        _require(divides, f"input.std has a 0, or less than {MIN_STD}: expected more")
        return self


class OutputSpec(NamedTuple):
    """How the model's output becomes scores.

    `classes` is the number of labels. `scores` says what the output holds: "probabilities" are served as they are,
    "logits" go through a softmax over all outputs, "sigmoid" takes that function of each output by itself. The first
    `label_offset` outputs have no label and are never predicted: it is 1 for networks of 1,001 classes whose first is
    "background". A `binary` model has one output: the score of the second of two labels; the first label gets the rest.
    """

    classes: int
    scores: Scores = "probabilities"
    label_offset: int = 0
    binary: bool = False

    @property
    def outputs(self) -> int:
        """How many values the model returns."""
        return 1 if self.binary else self.classes + self.label_offset

    def checked(self) -> "OutputSpec":
        """Itself; raises ModelError for a value that cannot be served."""
        most = f"to {MAX_CLASSES:,}"
        _require(_is_whole(self.classes, 1, MAX_CLASSES), f"output.classes is {shown(self.classes)}, expected 1 {most}")
        _require(
            _is_whole(self.label_offset, 0, MAX_CLASSES),
            f"output.label_offset is {shown(self.label_offset)}, expected 0 {most}",
        )
        _require(self.scores in SCORES, f"output.scores is {self.scores!r:.60}, expected one of {', '.join(SCORES)}")
        _require(isinstance(self.binary, bool), f"output.binary is {shown(self.binary)}, expected true or false")
        has = f"{self.classes} classes, label_offset {self.label_offset} and scores {self.scores}"
        fits = self.classes == 2 and self.label_offset == 0 and self.scores != "logits"
        _require(fits or not self.binary, f"output.binary is true with {has}: expected 2, 0, probabilities or sigmoid")
        return self


class ModelCard(NamedTuple):
    """The whole card. `version` is the start of the model file's SHA-256, so that it names the content.

    `quantization` is what the conversion says of the weights ("dynamic", "int8", ...). It is only shown: what the
    interpreter needs is in the model file. `contract` is what `evidence` describes. `crc32` is "" on older cards.
    """

    name: str
    sha256: str
    size_bytes: int
    quantization: str
    trained: bool
    input: InputSpec
    output: OutputSpec
    source: Mapping[str, Any] = {}
    verification: Mapping[str, Any] = {}
    contract: Mapping[str, Any] = {}
    crc32: str = ""

    def checked(self) -> "ModelCard":
        """Itself; raises ModelError for a value that cannot be served."""
        for name, value in (("name", self.name), ("quantization", self.quantization)):
            _require(_is_text(value), f"{name} is {shown(value)}, expected a text of 1 to {MAX_TEXT:,} characters")
        is_digest = isinstance(self.sha256, str) and bool(_SHA256.fullmatch(self.sha256))
        _require(is_digest, f"sha256 is {shown(self.sha256)}, expected 64 hexadecimal digits in lower case")
        is_crc = isinstance(self.crc32, str) and bool(_CRC32.fullmatch(self.crc32))
        _require(is_crc, f"crc32 is {shown(self.crc32)}, expected 8 hexadecimal digits in lower case")
        size = self.size_bytes
        _require(_is_whole(size, 0, MAX_SIZE_BYTES), f"size_bytes is {shown(size)}, expected a size")
        _require(isinstance(self.trained, bool), f"trained is {shown(self.trained)}, expected true or false")
        for name, about in (("source", self.source), ("verification", self.verification), ("contract", self.contract)):
            _require(isinstance(about, dict), f"{name} is {shown(about)}, expected an object")
            _require(
                _is_plain(about, MAX_DEPTH),
                f"{name} holds a value that is no finite number, text, list or object, or is nested too deeply",
            )
        if self.contract:
            from chalicelib.inference import evidence  # cards of before this field do not pay for it

            evidence.check(self.contract, MAX_TEXT)
        return self

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that name the model file's content."""
        return self.sha256[:12]

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON, including `version`. A field of _ADDED is left out while it says nothing."""
        fields = {**_told(self), "input": _told(self.input), "output": _told(self.output)}
        return {"name": fields.pop("name"), "version": self.version, **fields}

    def summary(self) -> dict[str, Any]:
        """The part of the card that every response of the API repeats."""
        about: dict[str, Any] = {"name": self.name, "version": self.version, "quantization": self.quantization}
        if not self.trained:
            about["warning"] = "untrained: the weights are random, and so are the answers"
        return {**about, "trained": self.trained}

    @classmethod
    def from_dict(cls, fields: Any) -> "ModelCard":
        """Read a card; raises ModelError, which names the field that is missing or wrong."""
        try:
            given, wanted = {**fields}, {**fields["input"]}
            given.pop("version", None)
            wanted |= {"mean": _numbers(wanted["mean"]), "std": _numbers(wanted["std"])}
            wanted["crop"] = _number(wanted["crop"])
            given |= {"input": InputSpec(**wanted).checked(), "output": OutputSpec(**given["output"]).checked()}
            return cls(**given).checked()
        except KeyError as error:
            raise ModelError(f"the model card lacks {error}: convert the model again") from error
        except (TypeError, ValueError) as error:
            raise ModelError(f"the model card is malformed: {error}") from error


_SHA256 = re.compile("[0-9a-f]{64}")
_CRC32 = re.compile("([0-9a-f]{8})?")
_ADDED = {"resize": "bilinear", "binary": False, "contract": {}, "crc32": ""}
"""Fields that the first cards do not have, with what their absence means."""


def _told(part: NamedTuple) -> dict[str, Any]:
    """Its fields, but for those of _ADDED that say nothing."""
    return {name: value for name, value in part._asdict().items() if _ADDED.get(name) != value}


def _number(value: Any) -> float:
    """A number of a JSON text, as a float; raises TypeError for other values, and for numbers beyond MAX_VALUE."""
    if type(value) not in (int, float) or not -MAX_VALUE <= value <= MAX_VALUE:
        raise TypeError(f"{shown(value)} is no number of at most {MAX_VALUE:,.0f}")
    return float(value)


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{shown(values)} is no list of numbers")
    return tuple(map(_number, values))


def _is_whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_TEXT


def _is_plain(value: Any, depth: int) -> bool:
    """Whether a value is JSON: no NaN, no infinity (which 1e999 is read as), and at most `depth` deep."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_plain(item, depth - 1) for item in inner)
    return not isinstance(value, float) or math.isfinite(value)


def _require(condition: bool, complaint: str) -> None:
    if not condition:
        raise ModelError(complaint)
