"""Everything that is installed is pinned, with the hash of every file that may be fetched."""

import hashlib
import re
import shlex
from base64 import urlsafe_b64encode
from importlib.metadata import distribution
from pathlib import Path

import pytest

from benchmarks.peers.environments import LOCKED
from layers.build.function import function_contents
from localaws.host.packages import RUNTIME_PACKAGES
from tests.support.pages import ROOT, text_of

INSTALLERS = (ROOT / "Makefile", ROOT / "tests" / "matrix.sh")
INSTALLED = sorted(
    {name for path in INSTALLERS for name in re.findall(r"[\w/-]*requirements[\w/-]*\.txt", text_of(path))}
    | {f"requirements/{RUNTIME_PACKAGES.name}"}  # which the local AWS installs
    | {path.relative_to(ROOT).as_posix() for path in LOCKED.values()}  # which a benchmark installs
)
SOURCES = sorted([*(ROOT / "requirements").rglob("*.in"), ROOT / "convert" / "requirements.in"])
OF_FUNCTIONS = {"awslambdaric", "simplejson", "snapshot-restore-py"}
"""Lambda's runtime client and its needs, which only functions of the local AWS have."""
AUDIT = "requirements/audit.txt"
"""checkov pins other versions of what it needs; its environment is used by nothing else."""
OTHER_NUMPY = "requirements/tflite-runtime.txt"
"""tflite-runtime takes NumPy below 2 only; its environment is used by nothing else."""
OF_PEERS = {name for name in INSTALLED if name.startswith("requirements/peers/")}
"""Other engines, each in its own environment."""


EVERYWHERE = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.txt"), *ROOT.glob("*/*.txt"), *ROOT.glob("requirements/*/*.txt")]
    if "requirements" in path.relative_to(ROOT).as_posix() and not path.relative_to(ROOT).parts[0].startswith(".")
)


def requirements(text: str) -> list[str]:
    """Each requirement with its hashes, on one line; comments are gone."""
    lines = re.sub(r"(?m)^\s*#.*$", "", text.replace("\\\n", " ")).splitlines()
    return [line for line in lines if line.strip()]


def pins(path: Path) -> dict[str, str]:
    """What stands before the hashes: name and marker to version."""
    found = [line.partition(" --hash")[0].strip() for line in requirements(text_of(path))]
    return {
        f"{name};{marker}".lower(): version
        for name, version, marker in (
            re.fullmatch(r"([\w.-]+)(?:\[.*\])?==([\w.]+)\s*(?:;\s*(.*))?", line).groups(default="") for line in found
        )
    }


def test_the_installers_name_them() -> None:
    assert {"layers/requirements.txt", "convert/requirements.txt", "requirements/dev.txt"} < set(INSTALLED)


@pytest.mark.parametrize("name", INSTALLED)
def test_every_requirement_has_a_version_and_a_hash(name: str) -> None:
    for line in requirements(text_of(ROOT / name)):
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==\S+ ", line), line
        assert re.search(r" --hash=sha256:[0-9a-f]{64}( |$)", line), line


def test_no_file_of_requirements_is_left_out() -> None:
    assert set(INSTALLED) | {"requirements.txt"} == set(EVERYWHERE)


def test_chalice_installs_nothing_into_the_function() -> None:
    """Of a package with code for one platform, Chalice's packager compares no hash; see the file."""
    assert requirements(text_of(ROOT / "requirements.txt")) == []


def test_what_chalice_puts_into_the_function_is_what_its_wheel_holds() -> None:
    """It copies two files of itself, as `requirements/deploy.txt` installs them; the wheel has a hash there."""
    installed = distribution("chalice")
    assert installed.version == pins(ROOT / "requirements" / "deploy.txt")["chalice;"]
    function = function_contents(ROOT)
    shipped = {name: function.read(name) for name in function.sizes if name.startswith("chalice/")}
    recorded = {str(file): file.hash for file in installed.files or [] if str(file) in shipped}
    assert shipped and shipped.keys() == recorded.keys()
    for name, data in shipped.items():
        digest = urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        assert recorded[name] is not None and (recorded[name].mode, recorded[name].value) == ("sha256", digest)


@pytest.mark.parametrize("name", INSTALLED)
def test_no_file_names_a_host(name: str) -> None:
    assert not re.search(r"://|--(?:extra-)?index|--find-links", text_of(ROOT / name))


@pytest.mark.parametrize("path", INSTALLERS, ids=lambda path: path.name)
def test_every_installation_requires_hashes(path: Path) -> None:
    found = [shlex.split(line) for line in text_of(path).replace("\\\n", " ").splitlines() if "pip install" in line]
    assert found
    for words in found:
        assert {"--require-hashes", "--no-deps"} <= set(words), words
        assert not [word for word in words if "==" in word]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_source_names_is_locked_at_that_version(source: Path) -> None:
    locked = pins(source.with_suffix(".txt"))
    assert pins(source)
    assert pins(source).items() <= locked.items()


@pytest.mark.parametrize("name", sorted(set(INSTALLED) - {OTHER_NUMPY, AUDIT, "requirements/lock.txt"} - OF_PEERS))
def test_the_files_agree(name: str) -> None:
    everything = pins(ROOT / "requirements" / "dev.txt")
    mine = {package.partition(";")[0]: version for package, version in pins(ROOT / name).items()}
    assert {item for item in mine.items() if item[0] not in OF_FUNCTIONS} <= {
        (package.partition(";")[0], version) for package, version in everything.items()
    }


@pytest.mark.parametrize(
    "line", ["six==1.17.0", "six==1.17.0 --hash=sha256:12", "six>=1.17.0 --hash=sha256:" + 64 * "0"]
)
def test_what_is_refused(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made.txt").write_text(line + "\n")
    monkeypatch.setattr("tests.whole.test_requirements.ROOT", tmp_path)
    with pytest.raises(AssertionError):
        test_every_requirement_has_a_version_and_a_hash("made.txt")
