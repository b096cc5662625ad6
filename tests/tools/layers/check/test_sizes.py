from pathlib import Path

import pytest
from rich.console import Console

from layers.check import sizes
from layers.check.sizes import Size
from layers.contents import from_files, open_contents
from tests.support.wheelhouse import write_zip

MB = sizes.MEGABYTE
RUNTIME = {
    "python/numpy/a.py": b"a" * 3000,
    "python/numpy.libs/libblas-1.so": b"b" * 5000,
    "python/numpy-2.4.6.dist-info/METADATA": b"c" * 10,
    "python/PIL/Image.py": b"d" * 100,
    "python/pillow.libs/libjpeg.so": b"e" * 200,
    "python/pillow-13.0.0.dist-info/WHEEL": b"f" * 1,
}


def test_a_package_has_its_libraries_and_metadata(tmp_path: Path) -> None:
    with open_contents(write_zip(tmp_path / "runtime-py313-x86_64.zip", RUNTIME)) as contents:
        packages = sizes.by_package(contents)
        assert [(size.label, size.unzipped) for size in packages] == [("numpy", 8010), ("PIL", 301)]
        assert all(0 < size.zipped < 200 for size in packages)
        assert sizes.total(contents, 99) == Size("runtime-py313-x86_64.zip", 8311, 99)


def test_two_models_are_two_rows(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "model.zip", {"models/a/model.tflite": b"12", "models/b/model.tflite": b"1"})
    with open_contents(path) as contents:
        assert [size.label for size in sizes.by_package(contents)] == ["models/a", "models/b"]


@pytest.mark.parametrize(
    ("unzipped", "zipped", "found"),
    [
        (60 * MB, 20 * MB, []),
        (60 * MB + 10_000, 20 * MB, ["60.01 MB unzipped, the runtime layer's budget is 60.00 MB"]),
        (1, 21 * MB, ["21.00 MB zipped, the runtime layer's budget is 20.00 MB"]),
    ],
)
def test_a_layer_over_the_budget_is_a_problem(unzipped: int, zipped: int, found: list[str]) -> None:
    assert [p.found for p in sizes.over_budget(Size("runtime", unzipped, zipped))] == found


def test_function_and_layers_together_stay_within_lambdas_limits() -> None:
    function, layer = Size("function", 2**20, 0), Size("layer", 100 * 2**20, 0)
    assert list(sizes.over_limits(function, [layer, layer])) == []
    [problem] = sizes.over_limits(function, [layer, layer, layer])
    assert problem.found == "315.62 MB unzipped together, Lambda allows 262.14 MB"
    [problem] = sizes.over_limits(function, [Size("layer", 1, 1)] * 6)
    assert problem.found == "6 layers, Lambda allows 5"


def test_the_table_tells_way_and_sum() -> None:
    console = Console(width=100)
    large = Size("model-huge.zip", 70 * MB, 60 * MB)
    layers = [
        (Size("runtime.zip", 70 * MB, 20 * MB), [Size("numpy", 40 * MB, 1), Size("PIL", 30 * MB, 1)]),
        (large, []),
    ]
    console.begin_capture()
    console.print(sizes.table("for a test", layers, Size("function", MB // 2, 0)))
    rows = [line.split() for line in console.end_capture().splitlines() if line.strip()]
    assert ["for", "a", "test"] in rows
    assert ["runtime.zip", "70.00", "20.00", "direct"] in rows
    assert ["numpy", "40.00", "0.00"] in rows
    assert ["model-huge.zip", "70.00", "60.00", "through", "S3"] in rows
    assert ["together", "140.50", "80.00", "54%", "of", "Lambda's", "262.14"] in rows


def test_a_long_name_does_not_push_the_figures_out() -> None:
    console = Console(width=80)
    console.begin_capture()
    console.print(sizes.table("for a test", [(Size("w" * 90 + ".whl", 70 * MB, 20 * MB), [])]))
    assert "70.00" in console.end_capture()


def test_a_folder_has_no_zipped_sizes(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("app = 1\n")
    assert sizes.total(from_files("function", {"app.py": tmp_path / "app.py"})) == Size("function", 8, 0)
