"""What a user can choose for a conversion."""

from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.inference.card import Resize, Scores
from convert.modes import DEFAULT_MODE, MODE_WITH_PICTURES, KeepFloat, Mode

MIN_AGREEMENT = 0.9
"""Share of pictures on which bundle and source must name the same class.

A healthy 8-bit network differs from its float source on a few pictures of 100, and nearly all of these are
toss-ups. A wrong calibration falls far below. A wrong preprocessing does not show here, for both see the same pixels.
"""
MAX_DIFFERENCE = 0.5
"""Of one score, on any picture. A healthy 8-bit network differs by 0.1 to 0.4 on the least certain of 100 pictures."""


@dataclass(frozen=True)
class Defaults:
    """What a source chooses if the user does not; None leaves the choice to the pipeline."""

    quantize: Mode | None = None
    calibration: Path | None = None
    validation: Path | None = None


NO_DEFAULTS = Defaults()


@dataclass(frozen=True)
class Options:
    """The options of `python -m convert`; None leaves the choice to the source."""

    source: str
    """A file, a folder, or the name of a built-in source."""
    weights: str = "imagenet"
    """For inception_v3: "imagenet", "none", or a file."""
    quantize: Mode | None = None
    calibration: Path | None = None
    """Folder of the pictures on which int8 measures its ranges."""
    validation: Path | None = None
    """Folder of the pictures on which bundle and source are compared."""
    validation_limit: int = 500
    """Number of pictures to compare at most, at least 1."""
    min_agreement: float = MIN_AGREEMENT
    max_difference: float = MAX_DIFFERENCE
    keep_float: KeepFloat | None = None
    """Layers that stay in float beside those that the recipe leaves there; None for no others."""
    explain: bool = False
    """Whether to measure the error of each layer in 8 bits."""
    labels: Path | None = None
    preprocess: str | None = None
    """A key of `sources.PREPROCESS`."""
    mean: tuple[float, ...] | None = None
    """Instead of `preprocess`: what is subtracted from the values, 0..255, of each channel or of all."""
    std: tuple[float, ...] | None = None
    """What the differences are divided by."""
    resize: Resize | None = None
    """One of `card.RESIZES`."""
    input_size: tuple[int, int] | None = None
    """Width and height in px: the training's for a network that leaves them open, others for a cheaper answer."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Widths and heights in px to compare, for the cheapest that is good enough."""
    crop: float | None = None
    """Share of the shorter side that is kept, above 0 and at most 1."""
    scores: Scores | None = None
    """One of `card.SCORES`: what the output means."""
    output: str | None = None
    """Name or number of the output that holds the scores, for a network of several."""
    name: str | None = None
    out: Path = Path("models")
    """The bundle becomes the folder `out/name`."""
    rewrite: bool = True
    """Whether `rewrite` may change the graph to run faster."""

    def __post_init__(self) -> None:
        """Refuse a limit that would compare nothing; raises ValueError."""
        if self.validation_limit < 1:
            raise ValueError(f"validation_limit is {self.validation_limit}: expected at least 1")

    @property
    def mode(self) -> Mode:
        """The quantisation that was chosen, or else the fastest one that the given pictures allow."""
        return self.quantize or (MODE_WITH_PICTURES if self.calibration else DEFAULT_MODE)

    def or_else(self, defaults: Defaults) -> "Options":
        """These options, with the source's defaults where the user chose nothing."""
        return replace(
            self,
            quantize=self.quantize or defaults.quantize,
            calibration=self.calibration or defaults.calibration,
            validation=self.validation or defaults.validation,
        )
