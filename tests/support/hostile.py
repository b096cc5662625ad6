"""A thousand pictures: every hostile and odd one of the test data, and ordinary ones."""

from pathlib import Path

COUNT = 1000


def thousand(test_data: Path) -> dict[str, bytes]:
    """Name to content; the ordinary ones' names begin with `ordinary`."""
    odd = [
        path
        for name in ("hostile", "odd_pictures")
        for path in sorted((test_data / name).iterdir())
        if path.name[:8] not in ("bmp_rle8", "jpg_arit")
    ]
    found = {path.name: path.read_bytes() for path in odd if path.is_file()}
    assert len(found) < COUNT, "the sample has grown"
    ordinary = [path.read_bytes() for path in sorted((test_data / "imagenet_sample").rglob("*.jp*g"))]
    for number in range(COUNT - len(found)):
        found[f"ordinary-{number:03}.jpg"] = ordinary[number % len(ordinary)]
    return found
