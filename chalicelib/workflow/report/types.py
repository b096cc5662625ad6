"""What `report.json` holds, key by key. `build` makes it; the page, the verdict and the benchmarks read it.

A row is one picture in one arm; "own" is an answer by the arm's own model. A picture is counted once.
"""

from typing import Literal, TypedDict

from chalicelib.split import Arm

Kind = Literal[
    "same", "better", "worse", "more_data", "undecided", "unlabelled", "foreign_labels", "no_answer"
]  # fmt: skip
"""The first three are about B's accuracy; "foreign_labels": no answer is any picture's expected label."""


class Counts(TypedDict):
    """Pictures of both arms: images = answered + failed. `duplicates` are further rows of a key, not counted."""

    images: int
    answered: int
    failed: int
    fallbacks: int
    duplicates: int


class SplitFigures(TypedDict):
    """Whether the pictures were dealt as the weight says. Shares are 0 to 1; None without pictures."""

    expected_b: float
    seen_b: float | None
    p: float
    """Exact binomial test, each key dealt independently of the others."""
    within_chance: bool
    misplaced: int
    """Rows in another arm than the hash says."""


class ShareFigures(TypedDict):
    """`hits` of `of`, as a share from 0 to 1 with its 95% interval by Wilson."""

    hits: int
    of: int
    share: float
    low: float
    high: float


class Times(TypedDict):
    """Milliseconds over `of` answers of the own model; quantiles are interpolated, see `arms.quantile`."""

    p50: float
    p95: float
    of: int


class Cost(TypedDict):
    """Lambda's price in US dollars of the `of` pictures whose time is known, fallbacks and failures too."""

    usd: float
    usd_per_million: float
    of: int


class ArmFigures(TypedDict):
    """Counts are pictures: images = own + fallbacks + failed, answered = own + fallbacks."""

    images: int
    answered: int
    own: int
    fallbacks: int
    fallback_reasons: dict[str, int]
    """Name of the own model's error to fallbacks."""
    failed: int
    failures: dict[str, int]
    """Code of the error to pictures that no model answered."""
    inference_ms: Times | None
    total_ms: Times | None
    """Fetching, decoding, preprocessing and inference."""
    cost: Cost | None
    """Of `total_ms` alone."""
    accuracy: ShareFigures | None
    """Of own answers whose expected label is known; None without any."""


class Differing(TypedDict):
    """A shadow picture on which the models differ: each one's label, and the expected one."""

    key: str
    A: str | None
    B: str | None
    expected: str | None


class Agreement(ShareFigures):
    """Shadow pictures to which both models gave the same label."""

    differing: list[Differing]
    """At most ten."""


class Significance(TypedDict):
    """A two-sided test of whether two shares are the same; `z` is None for an exact test."""

    test: str
    p: float
    z: float | None


class Accuracy(Significance):
    """B's accuracy less A's, -1 to 1, with its 95% interval by Newcombe."""

    difference: float
    low: float
    high: float


class Latency(TypedDict):
    """B's median divided by A's; None if one of them is not known."""

    inference_ratio: float | None
    total_ratio: float | None


class Assumed(TypedDict):
    """What the figures rest on, apart from the rows."""

    memory_mb: int
    architecture: str
    prices_of: str
    """Year and month."""
    confidence: float
    alpha: float
    power: float
    margin: float
    """Accuracies that are closer than this share count as the same."""


class Verdict(TypedDict):
    """One sentence, and its kind."""

    kind: Kind
    text: str
    more_images: int | None
    """About how many more pictures "more_data" needs; None for the other kinds."""


class Figures(TypedDict):
    """The report less its verdict, which is derived from these."""

    experiment: str
    models: dict[Arm, str]
    counts: Counts
    split: SplitFigures
    arms: dict[Arm, ArmFigures]
    agreement: Agreement | None
    """None without shadow answers."""
    accuracy: Accuracy | None
    """None if an arm has no own answer with a known label."""
    reliability: Significance | None
    """Of the shares that the own models did not answer, without the fallbacks of whole groups; None if an arm has
    no other pictures."""
    latency: Latency
    assumed: Assumed


class Report(Figures):
    """All of `report.json`."""

    verdict: Verdict
