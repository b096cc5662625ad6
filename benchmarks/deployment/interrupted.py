"""`make deploy` on this machine's AWS, broken off at one place, and then given again."""

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from werkzeug.wrappers import Response

import layers.__main__
from benchmarks.deployment.state import State, differences, state_of
from layers.deploy.record import record_path
from layers.pythons import own
from localaws.cloud.local_aws import LocalAws
from localaws.deploy.deployer import Deployer
from localaws.errors import DeployFailed
from localaws.host.environment import without_account

_APP_ID, _MARK = "AWS_SDK_UA_APP_ID", "interrupted-deployment"
"""In the user agent of the calls that the deployment's commands make, and of no other."""
_REFUSED = """<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>refused once</Message></Error>
</ErrorResponse>"""


class Refusal:
    """Records the calls of the deployment's commands, and refuses one.

    `at` is its number, counted from 0, or what its text begins with: the first such call is refused.
    """

    def __init__(self, at: int | str | None = None) -> None:
        self.at, self.calls = at, list[str]()
        self._has_refused = False
        self._lock = threading.Lock()

    def __call__(self, environ: Mapping[str, Any]) -> Response | None:
        """Give the refusal; None lets the call pass."""
        if _MARK not in environ.get("HTTP_USER_AGENT", ""):
            return None
        with self._lock:
            self.calls.append(f"{_service(environ)} {environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            refused = not self._has_refused and self._is_meant()
            self._has_refused |= refused
        return Response(_REFUSED, 403, content_type="text/xml") if refused else None

    def _is_meant(self) -> bool:
        if isinstance(self.at, str):
            return self.calls[-1].startswith(self.at)
        return len(self.calls) - 1 == self.at


@dataclass(frozen=True)
class QuietDeployer(Deployer):
    """A deployer that runs the project's own commands within this process, since starting them takes most of the time.

    Chalice has a process, as always.
    """

    last: int | None = None
    """After so many commands it ends; None: after the last one."""
    commands: list[str] = field(default_factory=list)
    """What ran, in this order."""

    def _run(self, what: str, command: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None) -> None:
        if self.last is not None and len(self.commands) == self.last:
            raise DeployFailed(f"broken off before {what}")
        self.commands.append(what)
        if "layers" not in command:
            super()._run(what, command, folder, {**(extra or {}), _APP_ID: _MARK})
            return
        printed = StringIO()
        variables = {**without_account(os.environ), **self.cloud.environment(), _APP_ID: _MARK}
        with mock.patch.dict(os.environ, variables, clear=True), redirect_stdout(printed), redirect_stderr(printed):
            code = layers.__main__.main(list(command[command.index("layers") + 1 :]))
        if code:
            raise DeployFailed(f"{what} ended with code {code}: {printed.getvalue().splitlines()[-1]}")


@dataclass(frozen=True)
class Trial:
    """One deployment that was broken off, if it was, and given again."""

    calls: list[str]
    """All calls of the first try."""
    commands: list[str]
    """All commands of the first try."""
    broken_off: str | None
    state: State
    """In the end; the names on Chalice's record are part of it."""

    def differs_from(self, undisturbed: "Trial") -> list[str]:
        """What the account has otherwise than after an undisturbed deployment."""
        return differences(undisturbed.state, self.state)


def attempt(call: int | str | None = None, commands: int | None = None) -> Trial:
    """Deploy into an empty account with one call refused, or broken off after so many commands; then once more."""
    refusal, broken_off = Refusal(call), None
    with LocalAws() as cloud:
        cloud.refuse(refusal)
        first = QuietDeployer(cloud, own(), say=_say_nothing, last=commands)
        try:
            first.deploy(with_layers=False)
        except DeployFailed as error:
            broken_off = str(error)
        cloud.refuse(lambda environ: None)  # noqa: ARG005
        if broken_off:
            QuietDeployer(cloud, own(), say=_say_nothing).deploy(with_layers=False)
        record = record_path(cloud.host.folder / "project" / "dev", "dev").read_text(encoding="utf-8")
        names = sorted(entry.rpartition('": "')[2] for entry in record.splitlines() if '"name"' in entry)
        return Trial(refusal.calls, first.commands, broken_off, {**state_of(cloud), "Chalice's record": names})


def _say_nothing(line: str) -> None:
    """What the commands print is not of interest."""


def _service(environ: Mapping[str, Any]) -> str:
    """From the signature's scope: `.../20261126/us-east-1/iam/aws4_request`."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0]
    return scope.split("/")[-2] if scope.count("/") > 1 else "?"
