"""How `python -m layers` ends, and the words that it takes."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from layers import __main__ as command_line
from layers.arguments import parser
from layers.deploy import alarms, commands, queues, state_machine
from tests.tools.layers.conftest import Outcome

Run = Callable[..., Outcome]


def raiser(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def test_ctrl_c_is_one_line_and_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(command_line.COMMANDS, "check", raiser(KeyboardInterrupt()))
    outcome = run("check")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == "\nstopped: run the same command again; it uses what is already made\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (EndpointConnectionError(endpoint_url="x"), 'error: AWS: Could not connect to the endpoint URL: "x"\n'),
        (
            ClientError({"Error": {"Code": "Throttled", "Message": "later"}}, "CreateStack"),
            "error: AWS: An error occurred (Throttled) when calling the CreateStack operation: later\n",
        ),
        (PermissionError(13, "no"), "error: [Errno 13] no\n"),
    ],
)
def test_an_error_of_aws_or_of_the_system_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    monkeypatch.setitem(command_line.COMMANDS, "queues", raiser(error))
    outcome = run("queues", "--stage", "dev")
    assert (outcome.code, outcome.err) == (2, line)


@pytest.mark.parametrize("text", ["1", "-2", "two", "2.5", "２", ""])
def test_a_number_of_workers_that_lambda_refuses(run: Run, capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("mappings", "--stage", "dev", f"--concurrency={text}")
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(
        f"error: argument --concurrency: {text!r}: expected a whole number of at least 2\n"
    )


def test_the_least_number_of_workers() -> None:
    assert parser().parse_args(["mappings", "--stage", "dev", "--concurrency", "2"]).concurrency == 2


@pytest.mark.parametrize(
    ("given", "parameters"),
    [
        ([], {}),
        (["--alarm-topic", "arn:aws:sns:x"], {"AlarmTopicArn": "arn:aws:sns:x"}),
        (["--alarm-topic", "none"], {"AlarmTopicArn": ""}),
    ],
)
def test_the_alarms_keep_their_topic_unless_one_or_none_is_given(
    monkeypatch: pytest.MonkeyPatch, run: Run, given: list[str], parameters: dict[str, str]
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(commands, "client", lambda service: service)
    for module, function in (
        (alarms, "deploy_alarms"),
        (queues, "deploy_queues"),
        (state_machine, "deploy_state_machine"),
    ):
        monkeypatch.setattr(module, function, lambda *arguments: seen.append(arguments[-1]) or [])
    for command in ("queues", "workflow", "alarms"):
        assert run(command, "--stage", "dev", *given).code == 0
    assert seen == [parameters] * 3


def test_a_fault_of_the_program_is_not_hidden(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(command_line.COMMANDS, "queues", raiser(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        run("queues", "--stage", "dev")


NEEDED = {"--stage": "dev", "--usd": "50", "--email": "a@example.com"}
"""The options without which some command does not run."""


@pytest.mark.parametrize(
    ("word", "command"),
    [("backing", "queues"), ("watching", "alarms"), *((name, name) for name in command_line.COMMANDS)],
)
def test_each_word_names_a_command_and_old_ones_do_still(word: str, command: str) -> None:
    known = help_of(word)
    needed = [part for name, value in NEEDED.items() if name in known for part in (name, value)]
    assert parser().parse_args([word, *needed]).command == command


def help_of(word: str) -> str:
    (commands,) = (action for action in parser()._actions if action.choices)
    return str(commands.choices[word].format_help())
