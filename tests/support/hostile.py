"""A thousand pictures: every hostile and odd one of the test data, and ordinary ones."""

from pathlib import Path

COUNT = 1000


def thousand(test_data: Path) -> dict[str, bytes]:
    """Name to content; the ordinary ones' names begin with `ordinary`."""
    odd = [path for name in ("hostile", "odd_pictures") for path in sorted((test_data / name).iterdir())]
    found = {path.name: path.read_bytes() for path in odd if path.is_file()}
    assert len(found) < COUNT, "the sample has grown"
    sample = sorted((test_data / "imagenet_sample").iterdir())
    ordinary = [path.read_bytes() for path in sample if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    for number in range(COUNT - len(found)):
        found[f"ordinary-{number:03}.jpg"] = ordinary[number % len(ordinary)]
    return found
