"""What the documentation names is there: links, commands, options, parameters; and the deployer's rights."""

import json
import re
import shlex
from pathlib import Path

import pytest

import chalicelib.batch.cli.main
import chalicelib.client.main
import convert.__main__
import layers.arguments
import localaws.__main__
from tests.support.pages import DECISIONS, DOCS, PAGES, ROOT, commands, prose, section, text_of
from tests.whole.test_architecture import GROUND, MAY_USE

PARSERS = {
    "chalicelib.batch": chalicelib.batch.cli.main._parser(),
    "chalicelib.client": chalicelib.client.main.parser(),
    "convert": convert.__main__.parser(),
    "layers": layers.arguments.parser(),
    "localaws": localaws.__main__._parser(),
}

ARCHITECTURE = DOCS / "architecture.md"
OTHERS = {"SELECT_TF_OPS", "FULLY_CONNECTED", "ROLLBACK_COMPLETE", "LC_ALL", "LD_PRELOAD"}
"""TensorFlow's, CloudFormation's, the shell's, the loader's."""
OTHERS |= {"MISSING_AUTHENTICATION_TOKEN", "INVALID_API_KEY", "ACCESS_DENIED", "INTEGRATION_TIMEOUT"}
"""API Gateway's kinds of errors."""
OTHERS |= {"ARTEFACTS_BUCKET"}
"""Of the forge's environment."""


def each_page(test):
    return pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)(test)


def anchors(path: Path) -> set[str]:
    """GitHub's: the heading in lower case, its punctuation gone, its blanks hyphens."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_relative_link_and_anchor_resolves(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            name, _, anchor = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), target


def test_every_page_is_linked_from_the_readme() -> None:
    for page in DOCS.glob("*.md"):
        assert f"](docs/{page.name}" in text_of(ROOT / "README.md")
    for name in ("CONTRIBUTING.md", "SECURITY.md"):
        assert f"]({name})" in text_of(ROOT / "README.md")


def test_every_decision_is_linked_from_the_architecture_by_its_heading() -> None:
    assert DECISIONS
    stated = re.findall(r"^\d+\. \[(.+)\]\(decisions/(.+)\)$", section(ARCHITECTURE, "Decisions"), re.M)
    assert sorted((name, heading) for heading, name in stated) == [
        (page.name, text_of(page).partition("\n")[0].removeprefix("# ")) for page in DECISIONS
    ]


def test_the_table_of_who_may_use_whom_is_the_one_that_is_held() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", section(ARCHITECTURE, "Who may use whom"), re.M)
    assert {package: set(re.findall(r"`([\w.]+)`", used)) for package, used in rows} == MAY_USE


def test_the_ground_is_described_module_by_module() -> None:
    row = re.search(r"^\| the ground \| (.*) \|$", section(ARCHITECTURE, "The packages"), re.M)
    assert row and set(re.findall(r"`(\w+)`", row[1])) == GROUND


@pytest.mark.parametrize(
    "page", [ARCHITECTURE, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *DECISIONS], ids=lambda p: p.name
)
def test_every_file_and_test_named_exists(page: Path) -> None:
    folders = "|".join(("chalicelib", "convert", "layers", "localaws", "benchmarks", "tests", "requirements", "docs"))
    for name in re.findall(rf"`((?:{folders}|\.chalice|\.github)/[\w./-]*)`", prose(page)):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(test_\w+)`", prose(page)):
        assert any(f"def {name}(" in text_of(path) for path in (ROOT / "tests").rglob("test_*.py")), name


@each_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.M))
    named = re.findall(r"`make ([a-z-]+)", prose(page))
    named += [target for line in commands(page) for target in re.findall(r"\bmake ([a-z-]+)", line)]
    assert set(named) <= targets


def module_calls(page: Path) -> list[tuple[str, list[str]]]:
    """Every `python -m MODULE ARGUMENTS` of this project, in a block or in a sentence."""
    calls = []
    for line in [*commands(page), *re.findall(r"`(python -m [^`]+)`", prose(page))]:
        for module, arguments in re.findall(r"python -m ([\w.]+) ([^|;]+)", line):
            if module in PARSERS:
                calls.append((module, shlex.split(arguments)))
    return calls


@each_page
def test_every_module_takes_the_arguments_stated(page: Path) -> None:
    for module, arguments in module_calls(page):
        if module == "chalicelib.batch" and arguments[0] not in chalicelib.batch.cli.main.COMMANDS:
            arguments.insert(0, "run")
        PARSERS[module].parse_args(arguments)


def test_there_are_such_calls() -> None:
    assert {module for page in PAGES for module, _ in module_calls(page)} == set(PARSERS)


def test_every_option_of_the_converter_stands_in_the_table_and_no_other() -> None:
    rows = "".join(re.findall(r"^\| `.*?\| ", section(DOCS / "your-own-model.md", "Every option"), re.M))
    options = {option for action in PARSERS["convert"]._actions for option in action.option_strings}
    assert set(re.findall(r"`(--[a-z-]+)", rows)) == {option for option in options if option[:2] == "--"} - {"--help"}


def test_every_parameter_of_the_stack_stands_in_the_table_and_no_other() -> None:
    stated = re.findall(r"^\| `(\w+)` \|", section(DOCS / "deploy.md", "As one CloudFormation stack"), re.M)
    parts = [ROOT / ".chalice" / "resources.json", *(ROOT / ".chalice" / "fronts").glob("*.json")]
    assert len(parts) == 4
    assert set(stated) == {name for part in parts for name in json.loads(text_of(part))["Parameters"]}


@each_page
def test_every_variable_named_is_one_of_the_settings_or_known_otherwise(page: Path) -> None:
    settings = set(re.findall(r"^\| `([A-Z_]+)` \|", section(ROOT / "README.md", "Settings"), re.M))
    of_makefile = set(re.findall(r"^([A-Z_]+) \?=", text_of(ROOT / "Makefile"), re.M))
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)[`=]", prose(page)))
    assert {name for name in named if not name.startswith(("AWS_", "SLIMCEPTION_"))} <= settings | of_makefile | OTHERS


class TestTheDeployersPolicy:
    POLICY = json.loads(text_of(DOCS / "deployer-policy.json"))
    ANY_NAME = ("WhatLambdaDoesNotConfineToNames", "ListStacksReadTemplates", "WhatCannotBeConfinedToNames")

    def test_it_fits_into_a_managed_policy(self) -> None:
        assert len(re.sub(r"\s", "", json.dumps(self.POLICY))) <= 6144

    def test_it_is_confined_to_this_projects_names_where_it_can_be(self) -> None:
        for statement in self.POLICY["Statement"]:
            resources = statement["Resource"]
            for resource in [resources] if isinstance(resources, str) else resources:
                assert (
                    re.search("slimception-|/restapis|/apis|/tags/|:event-source-mapping:|:transform/", resource)
                    or statement["Sid"] in self.ANY_NAME
                )
