"""The model card, `model.json`: everything that a model needs apart from its weights and its labels."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from chalicelib.errors import ModelError

Color = Literal["RGB", "BGR", "L"]
Scores = Literal["probabilities", "logits"]
COLORS: tuple[Color, ...] = get_args(Color)
SCORES: tuple[Scores, ...] = get_args(Scores)


@dataclass(frozen=True)
class InputSpec:
    """How a picture becomes the model's input.

    The centred box of the input's aspect ratio that covers `crop` of the picture is kept; a `crop` of 1 keeps the
    whole picture and squeezes it. The box is resized bilinearly to `width` x `height` px and put into `color` order.
    Each channel becomes `(value - mean) / std`, where `value` is in 0..255.
    """

    width: int
    height: int
    color: Color
    crop: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def channels(self) -> int:
        """1 for grey ("L"), else 3."""
        return 1 if self.color == "L" else 3

    def __post_init__(self) -> None:
        """Raise ModelError for a value that cannot be served."""
        sides = f"input is {self.width!r}x{self.height!r}, expected whole numbers of at least 1"
        _require(_is_whole(self.width, 1) and _is_whole(self.height, 1), sides)
        _require(self.color in COLORS, f"input.color is {self.color!r}, expected one of {', '.join(COLORS)}")
        _require(0 < self.crop <= 1, f"input.crop is {self.crop}, expected more than 0 and at most 1")
        for name, values in (("mean", self.mean), ("std", self.std)):
            _require(
                len(values) == self.channels, f"input.{name} has {len(values)} values for {self.channels} channels"
            )
        _require(0 not in self.std, "input.std has a 0: expected other numbers")


@dataclass(frozen=True)
class OutputSpec:
    """How the model's output becomes scores.

    `classes` is the number of labels. `scores` says what the output holds: "probabilities" are served as they are,
    "logits" go through a softmax over all outputs. The first `label_offset` outputs have no label and are never
    predicted: it is 1 for networks of 1,001 classes whose first is "background".
    """

    classes: int
    scores: Scores = "probabilities"
    label_offset: int = 0

    def __post_init__(self) -> None:
        """Raise ModelError for a value that cannot be served."""
        _require(_is_whole(self.classes, 1), f"output.classes is {self.classes}, expected at least 1")
        _require(self.scores in SCORES, f"output.scores is {self.scores!r}, expected one of {', '.join(SCORES)}")
        _require(_is_whole(self.label_offset, 0), f"output.label_offset is {self.label_offset}, expected at least 0")


@dataclass(frozen=True)
class ModelCard:
    """The whole card. `version` is the start of the model file's SHA-256, so that it names the content.

    `quantization` is what the conversion says of the weights ("dynamic", "int8", ...). It is only shown: what the
    interpreter needs is in the model file.
    """

    name: str
    sha256: str
    size_bytes: int
    quantization: str
    trained: bool
    input: InputSpec
    output: OutputSpec
    source: Mapping[str, Any] = field(default_factory=dict)
    verification: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that name the model file's content."""
        return self.sha256[:12]

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON, including `version`."""
        fields = asdict(self)
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
            given, wanted = dict(fields), dict(fields["input"])
            given.pop("version", None)
            wanted.update(mean=tuple(map(float, wanted["mean"])), std=tuple(map(float, wanted["std"])))
            given.update(input=InputSpec(**wanted), output=OutputSpec(**given["output"]))
            return cls(**given)
        except KeyError as error:
            raise ModelError(f"the model card lacks {error}: convert the model again") from error
        except (TypeError, ValueError) as error:
            raise ModelError(f"the model card is malformed: {error}") from error


def _is_whole(value: Any, least: int) -> bool:
    return type(value) is int and value >= least


def _require(condition: bool, complaint: str) -> None:
    if not condition:
        raise ModelError(complaint)
