"""Notes below the report: what its figures assume, and what they leave out."""

from chalicelib.workflow.report.arms import in_whole_groups
from chalicelib.workflow.report.types import Figures
from chalicelib.workflow.report.wording import chance

_FALLBACKS = (
    "A fallback stays in its arm's images and cost, but is no answer of its arm's model: accuracy, times and agreement "
    "leave it out. An image that no model answered is a failure, not a wrong answer."
)
_INTERVALS = (
    "Intervals of shares are Wilson's, of their difference Newcombe's, with 95% confidence; each image counts as "
    "independent of the others."
)
_NOT_PRICED = (
    "Cold starts, a group's own start and end, shadow answers, Step Functions, S3 and CloudWatch are not in it."
)


def notes(figures: Figures) -> list[str]:
    """One note for each assumption, as plain text."""
    assumed, split = figures["assumed"], figures["split"]
    notes = [
        f"Each image is in one arm, by a hash of its key and the experiment's name, and counts once; "
        f"duplicates left out: {figures['counts']['duplicates']:,}.",
        f"The split is held against chance by the exact binomial test ({chance(split['p'])}), as if each key were "
        "dealt independently of the others.",
        _FALLBACKS,
        _INTERVALS,
        f"Cost is AWS Lambda's list price ({assumed['prices_of']}; {assumed['memory_mb']:,} MB, "
        f"{assumed['architecture']}) of each image's milliseconds, rounded up, as if each were one request. "
        f"{_NOT_PRICED}",
    ]
    if split["misplaced"]:
        notes.insert(
            0, f"In another arm than the hash says: {split['misplaced']:,} images. Their rows come from another split."
        )
    in_groups = sum(in_whole_groups(arm) for arm in figures["arms"].values())
    if in_groups:
        notes.append(
            f"{in_groups:,} fallbacks came by whole groups, whose invocations ended early: what the verdict says of "
            "unanswered images leaves them out."
        )
    if figures["accuracy"]:
        test = f"{figures['accuracy']['test']} (two-sided, {chance(figures['accuracy']['p'])})"
        margin = f"{100 * assumed['margin']:g} points"
        notes.append(
            f"Accuracies are compared by the {test}. They count as the same when surely less than {margin} apart."
        )
    return notes
