"""What Chalice has no key for, set after `chalice deploy` in moto's API Gateway and Lambda."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.tools.layers.conftest import Outcome

boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
from layers.deploy.settings import Throttle, complete_settings  # noqa: E402

Run = Callable[..., Outcome]
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:slimception-dev"


@pytest.fixture
def gateway(aws: None) -> Iterator[Any]:
    client = boto3.client("apigateway", region_name="eu-west-1")
    yield client
    client.close()


@pytest.fixture
def api_id(gateway: Any, project: Path) -> str:
    """An API with a stage, as Chalice has deployed and recorded it."""
    made = gateway.create_rest_api(name="slimception")
    root = made["rootResourceId"]
    gateway.put_method(restApiId=made["id"], resourceId=root, httpMethod="GET", authorizationType="NONE")
    gateway.put_integration(restApiId=made["id"], resourceId=root, httpMethod="GET", type="MOCK")
    gateway.create_deployment(restApiId=made["id"], stageName="api")
    record(project, {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": made["id"]})
    return str(made["id"])


def record(project: Path, *entries: dict[str, str]) -> None:
    folder = project / ".chalice/deployed"
    folder.mkdir(exist_ok=True)
    (folder / "dev.json").write_text(json.dumps({"resources": entries}))


def throttle(gateway: Any, api_id: str) -> tuple[Any, Any]:
    setting = gateway.get_stage(restApiId=api_id, stageName="api")["methodSettings"]["*/*"]
    return setting["throttlingRateLimit"], setting["throttlingBurstLimit"]


def complete(gateway: Any, project: Path, functions: Any = None, **limits: int) -> list[str]:
    return list(complete_settings(gateway, functions, project, "dev", Throttle(**limits)))


class TestTheApi:
    def test_it_has_a_throttle(self, gateway: Any, api_id: str, project: Path) -> None:
        said = complete(gateway, project)
        assert throttle(gateway, api_id) == (20, 40)
        assert said[-1] == f"API {api_id}: takes 20 requests a second, 40 at once"

    def test_a_throttle_that_somebody_has_set_stays(self, gateway: Any, api_id: str, project: Path) -> None:
        complete(gateway, project, rate=5, burst=7)
        complete(gateway, project)
        assert throttle(gateway, api_id) == (5, 7)
        complete(gateway, project, burst=9)
        assert throttle(gateway, api_id) == (5, 9)

    def test_what_an_account_allows_in_all_is_no_throttle(self, gateway: Any, api_id: str, project: Path) -> None:
        complete(gateway, project, rate=10_000, burst=5_000)
        complete(gateway, project)
        assert throttle(gateway, api_id) == (20, 40)

    def test_errors_of_the_gateway_have_the_stages_origin(self, gateway: Any, api_id: str, project: Path) -> None:
        config = json.loads((project / ".chalice/config.json").read_text())
        config["stages"]["dev"]["environment_variables"]["CORS_ALLOW_ORIGIN"] = "https://pictures.example"
        (project / ".chalice/config.json").write_text(json.dumps(config))
        before = len(gateway.get_deployments(restApiId=api_id)["items"])
        complete(gateway, project)
        for kind in ("DEFAULT_4XX", "DEFAULT_5XX"):
            answer = gateway.get_gateway_response(restApiId=api_id, responseType=kind)
            origin = answer["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
            assert origin == "'https://pictures.example'"
        assert len(gateway.get_deployments(restApiId=api_id)["items"]) == before + 1, "they count from a deployment"


class TestTheFunctions:
    @pytest.fixture
    def functions(self, project: Path) -> Any:
        record(project, {"name": "api_handler", "resource_type": "lambda_function", "lambda_arn": ARN})
        return MagicMock()

    def test_they_log_nothing_of_lambdas_on_invocations_that_succeed(self, functions: Any, project: Path) -> None:
        functions.get_function_configuration.return_value = {"LoggingConfig": {"LogFormat": "Text"}}
        complete(None, project, functions)
        functions.update_function_configuration.assert_called_once_with(
            FunctionName=ARN, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN"}
        )

    def test_a_level_that_somebody_has_set_stays(self, functions: Any, project: Path) -> None:
        functions.get_function_configuration.return_value = {
            "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "INFO"}
        }
        assert complete(None, project, functions) == ["function slimception-dev: logs INFO of Lambda's own and above"]
        functions.update_function_configuration.assert_not_called()

    def test_tmp_grows_only_if_that_is_asked_for(self, functions: Any, project: Path) -> None:
        functions.get_function_configuration.return_value = {"LoggingConfig": {"LogFormat": "JSON"}}
        said = list(complete_settings(None, functions, project, "dev", Throttle(), tmp_mb=2048))
        assert said[-1] == "function slimception-dev: /tmp of 2048 MB"
        functions.update_function_configuration.assert_called_once_with(
            FunctionName=ARN, EphemeralStorage={"Size": 2048}
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "dev.json names nothing: deploy stage dev from here first"),
        ("{", "cannot be read as Chalice's record"),
    ],
)
def test_a_stage_that_was_not_deployed(aws: None, project: Path, run: Run, content: str | None, message: str) -> None:
    if content is not None:
        record(project)
        (project / ".chalice/deployed/dev.json").write_text(content)
    outcome = run("settings", "--stage", "dev", "--project", project)
    assert outcome.code == 2 and message in outcome.err


def test_the_budget_is_a_stack_in_the_one_region_that_has_budgets_for_all(
    aws: None, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from layers.deploy import budget

    asked: list[Any] = []
    monkeypatch.setattr(budget, "deploy_stack", lambda *given: asked.append(given) or iter(()))
    assert run("budget", "--stage", "dev", "--usd", 50, "--email", "a@example.com").code == 0
    ((client, name, template),) = asked
    assert (client.meta.region_name, name) == ("us-east-1", "slimception-dev-budget")
    properties = template["Resources"]["Budget"]["Properties"]
    assert properties["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    notices = properties["NotificationsWithSubscribers"]
    assert {n["Notification"]["NotificationType"]: n["Notification"]["Threshold"] for n in notices} == {
        "ACTUAL": 80,
        "FORECASTED": 100,
    }
    assert all(n["Subscribers"] == [{"SubscriptionType": "EMAIL", "Address": "a@example.com"}] for n in notices)
    client.close()
