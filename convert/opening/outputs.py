"""Which output of a network holds the scores."""

from typing import Any, NamedTuple

from convert.errors import ConvertError


class Output(NamedTuple):
    """One of the outputs."""

    key: Any
    """In the structure that the network returns: a dictionary's key, a list's index, None if it returns one tensor."""
    classes: int
    notes: tuple[str, ...] = ()

    def of(self, returned: Any) -> Any:
        """The tensor of this output."""
        return returned if self.key is None else returned[self.key]


def chosen(returned: Any, wanted: str | None, name: str) -> Output:
    """The output that `wanted` names, or else the only row of scores among them; raises ConvertError.

    `returned` is one tensor, or a list, tuple or dictionary of tensors, each with dtype, shape, and a batch of 1.
    """
    outputs = _by_key(returned)
    if wanted is not None:
        if len(outputs) == 1 and None in outputs:
            raise ConvertError(f"--output {wanted}: {name} has one output, leave it out")
        key = next((key for key in outputs if str(key) == wanted), None)
        if key is None:
            raise ConvertError(f"--output {wanted}: {name} has the outputs {listing(outputs)}")
        if _row_of(outputs[key]) is None:
            raise ConvertError(f"--output {wanted} is no row of scores: {name} has the outputs {listing(outputs)}")
        return Output(key, int(_row_of(outputs[key]) or 0))
    rows = {key: row for key, tensor in outputs.items() if (row := _row_of(tensor)) is not None}
    if len(rows) == 1:
        ((key, classes),) = rows.items()
        others = len(outputs) - 1
        note = f"of the outputs {listing(outputs)}, {key!r} is the only row of scores"
        return Output(key, classes, (note,) if others else ())
    if not rows:
        raise ConvertError(
            f"{name} has the outputs {listing(outputs)}: a classifier has a row of scores, (1, classes); "
            "boxes, masks, sequences and feature maps are not served"
        )
    raise ConvertError(f"{name} has several rows of scores, {listing(outputs)}: choose one with --output NAME")


def listing(outputs: dict[Any, Any]) -> str:
    """Each output with its shape and type, in words."""
    return ", ".join(
        f"{'' if key is None else f'{key!s} '}{tuple(tensor.shape)} {tensor.dtype.name}"
        for key, tensor in outputs.items()
    )


def _by_key(returned: Any) -> dict[Any, Any]:
    if isinstance(returned, dict):
        return dict(sorted(returned.items()))
    if isinstance(returned, list | tuple):
        return dict(enumerate(returned)) if len(returned) > 1 else {0: returned[0]}
    return {None: returned}


def _row_of(tensor: Any) -> int | None:
    """The number of scores in a tensor, or None if it is no row of floats."""
    sides = [n for n in tensor.shape if n != 1]
    if not tensor.dtype.is_floating or len(tensor.shape) < 1 or len(sides) > 1 or None in sides:
        return None
    return int(sides[0]) if sides else 1
