"""An HTTP API and a function URL: in the packaged template, and as their own stack after `chalice deploy`."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.api import views
from chalicelib.config import Settings
from layers.deploy.alarms import alarms_template
from layers.deploy.front import deploy_front, front_template
from layers.deploy.packaged_front import for_chalice
from layers.deploy.queues import queues_template
from layers.deploy.resources import RESOURCES
from layers.deploy.routes import Route, routes_of, with_head
from layers.deploy.stages import front_of, of_function
from layers.errors import PackageError, StageError
from tests.support.packages import packaged, project_with
from tests.support.templates import REGION, Template, errors_in, expanded, made_with

ORIGIN = "https://pictures.example"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:slimception-prod-front"
FRONTS = ("http", "url")


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    return {front: packaged(tmp_path_factory.mktemp(front), FRONT=front, CORS_ALLOW_ORIGIN=ORIGIN) for front in FRONTS}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {front: project_with(tmp_path_factory.mktemp(front), "prod", FRONT=front) for front in ("rest", *FRONTS)}


@pytest.fixture(scope="module")
def routes(projects: dict[str, Any]) -> list[Route]:
    return routes_of(projects["http"], "prod")


def of_type(resources: Template, kind: str) -> dict[str, Any]:
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == kind}


@pytest.mark.parametrize("front", FRONTS)
class TestPackaged:
    def test_cfn_lint_finds_neither_an_error_nor_a_warning(self, templates: dict[str, Template], front: str) -> None:
        assert errors_in(templates[front], REGION) == []

    def test_no_rest_api_is_left_over(self, templates: dict[str, Template], front: str) -> None:
        text = json.dumps(templates[front])
        assert "RestAPI" not in text and "AWS::ApiGateway::" not in text
        assert {"ApiKey", "UsagePlan", "WebAcl"}.isdisjoint(templates[front]["Resources"])

    def test_the_function_its_role_and_its_log_are_those_behind_a_rest_api(
        self, templates: dict[str, Template], front: str
    ) -> None:
        resources = templates[front]["Resources"]
        function = resources["APIHandler"]["Properties"]
        assert function["Handler"] == "app.app" and function["Role"] == {"Fn::GetAtt": ["ApiHandlerRole", "Arn"]}
        assert "ApiHandlerRole" in resources and not {"Front", "FrontRole"} & set(resources)
        assert function["Environment"]["Variables"]["FRONT"] == front
        assert function["LoggingConfig"]["LogGroup"] == {"Ref": "APIHandlerLog"}

    def test_the_role_may_write_the_functions_log(self, templates: dict[str, Template], front: str) -> None:
        resources = templates[front]["Resources"]
        name = resources["APIHandlerLog"]["Properties"]["LogGroupName"]
        (policy,) = resources["ApiHandlerRole"]["Properties"]["Policies"]
        (logs,) = [one for one in policy["PolicyDocument"]["Statement"] if one.get("Sid") == "OwnLogGroup"]
        assert logs["Resource"] == f"arn:*:logs:*:*:log-group:{name}:*"

    def test_the_address_is_an_output(self, templates: dict[str, Template], front: str) -> None:
        assert "EndpointURL" in templates[front]["Outputs"]

    def test_cors_is_what_the_app_says_behind_a_rest_api(self, templates: dict[str, Template], front: str) -> None:
        resources = templates[front]["Resources"]
        name, field = {"http": ("FrontApi", "CorsConfiguration"), "url": ("FrontUrl", "Cors")}[front]
        given, own = resources[name]["Properties"][field], views.cors(Settings(cors_allow_origin=ORIGIN))
        headers = own.get_access_control_headers()
        assert given["AllowOrigins"] == [headers["Access-Control-Allow-Origin"]]
        assert given["AllowHeaders"] == sorted(headers["Access-Control-Allow-Headers"].lower().split(","))
        assert ",".join(given["ExposeHeaders"]) == headers["Access-Control-Expose-Headers"].lower()
        assert str(given["MaxAge"]) == headers["Access-Control-Max-Age"]
        assert views.cors(Settings(front=front, in_lambda=True)) is None

    def test_it_is_called_through_the_alias(
        self, templates: dict[str, Template], front: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resources = expanded(templates[front], monkeypatch)
        alias = {"Ref": "APIHandlerAliaslive"}
        permissions = {
            name: one for name, one in of_type(resources, "AWS::Lambda::Permission").items() if "Front" in name
        }
        assert permissions and all(one["FunctionName"] == alias for one in permissions.values())
        for integration in of_type(resources, "AWS::ApiGatewayV2::Integration").values():
            assert integration["IntegrationUri"] == alias
        for url in of_type(resources, "AWS::Lambda::Url").values():
            assert url["Qualifier"] == resources["APIHandlerAliaslive"]["Properties"]["Name"]

    def test_its_stack_and_the_others_have_each_alarm_once(
        self, projects: dict[str, Any], templates: dict[str, Template], routes: list[Route], front: str
    ) -> None:
        resources = projects[front] / RESOURCES
        stacks = [
            front_template(resources, "prod", ARN, routes),
            queues_template(resources, "prod"),
            alarms_template(resources, "slimception", "prod"),
        ]
        alarms = [name for stack in stacks for name in of_type(stack["Resources"], "AWS::CloudWatch::Alarm")]
        packaged_alarms = of_type(templates[front]["Resources"], "AWS::CloudWatch::Alarm")
        assert sorted(alarms) == sorted(name for name in packaged_alarms if not name.startswith("Workflow"))
        owned = [name for stack in stacks for name in stack["Resources"] if name.startswith("Front")]
        assert sorted(owned) == sorted(name for name in templates[front]["Resources"] if name.startswith("Front"))
        assert errors_in(stacks[0], REGION) == []


class TestHttpApi:
    def test_each_route_of_the_app_is_one_and_nothing_else(
        self, templates: dict[str, Template], routes: list[Route]
    ) -> None:
        import app

        own = {f"{method} {path}" for path, methods in app.app.routes.items() for method in methods}
        found = of_type(templates["http"]["Resources"], "AWS::ApiGatewayV2::Route").values()
        keys = [one["RouteKey"] for one in found]
        heads = {key.replace("GET", "HEAD") for key in own if key.startswith("GET ")}
        assert sorted(keys) == sorted(own | heads)
        assert {one["Target"]["Fn::Sub"] for one in found} == {"integrations/${FrontIntegration}"}
        assert len(routes) == len(keys)

    @pytest.mark.parametrize(("authentication", "others"), [("None", "NONE"), ("IAM", "AWS_IAM")])
    def test_batches_always_ask_for_a_signature_and_the_others_if_the_parameter_says_so(
        self, templates: dict[str, Template], authentication: str, others: str
    ) -> None:
        made = of_type(made_with(templates["http"], Authentication=authentication), "AWS::ApiGatewayV2::Route")
        asked = {one["RouteKey"]: one["AuthorizationType"] for one in made.values()}
        batches = {"POST /batches", "GET /batches/{batch_id}", "HEAD /batches/{batch_id}"}
        assert {key for key, kind in asked.items() if kind == "AWS_IAM"} >= batches
        assert {kind for key, kind in asked.items() if key not in batches} == {others}

    def test_the_one_stage_is_throttled_and_logs_no_address(self, templates: dict[str, Template]) -> None:
        (stage,) = of_type(templates["http"]["Resources"], "AWS::ApiGatewayV2::Stage").values()
        assert stage["StageName"] == "$default" and stage["AutoDeploy"] is True
        limits = stage["DefaultRouteSettings"]
        assert limits["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
        assert limits["ThrottlingBurstLimit"] == {"Ref": "RequestBurst"}
        logged = json.loads(stage["AccessLogSettings"]["Format"])
        assert "$context.requestId" in logged.values() and "$context.status" in logged.values()
        assert not any("identity" in value for value in logged.values())

    def test_it_may_call_the_function_and_no_other_api_may(self, templates: dict[str, Template]) -> None:
        permission = templates["http"]["Resources"]["FrontPermission"]["Properties"]
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["SourceArn"]["Fn::Sub"].endswith(":${FrontApi}/*")

    def test_a_domain_is_made_only_if_it_is_named(self, templates: dict[str, Template]) -> None:
        assert not {"FrontDomain", "FrontDomainMapping"} & set(made_with(templates["http"]))
        named = made_with(templates["http"], DomainName="api.example.com", CertificateArn="arn")
        assert {"FrontDomain", "FrontDomainMapping"} <= set(named)


class TestUrl:
    def test_it_asks_for_a_signature_until_it_is_opened(self, templates: dict[str, Template]) -> None:
        made = made_with(templates["url"])
        assert made["FrontUrl"]["Properties"]["AuthType"] == "AWS_IAM"
        assert not {"FrontUrlPermission", "FrontInvokePermission"} & set(made)

    def test_an_open_one_has_both_permissions_that_lambda_asks_for(self, templates: dict[str, Template]) -> None:
        """Since October 2025. Source: AWS Lambda developer guide, "Control access to Lambda function URLs"."""
        made = made_with(templates["url"], UrlAccess="Open", ReservedConcurrency=5)
        assert made["FrontUrl"]["Properties"]["AuthType"] == "NONE"
        one, other = (made[name]["Properties"] for name in ("FrontUrlPermission", "FrontInvokePermission"))
        assert (one["Action"], one["Principal"], one["FunctionUrlAuthType"]) == (
            "lambda:InvokeFunctionUrl",
            "*",
            "NONE",
        )
        assert (other["Action"], other["Principal"], other["InvokedViaFunctionUrl"]) == (
            "lambda:InvokeFunction",
            "*",
            True,
        )

    def test_an_open_one_without_a_bound_is_refused(self, templates: dict[str, Template]) -> None:
        rule = templates["url"]["Rules"]["OpenUrlIsBounded"]
        assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "UrlAccess"}, "Open"]}
        assert rule["Assertions"][0]["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ReservedConcurrency"}, "0"]}]}

    def test_a_throttle_that_it_has_not_is_no_parameter(self, templates: dict[str, Template]) -> None:
        assert not {"RequestsPerSecond", "RequestBurst", "Authentication"} & set(templates["url"]["Parameters"])


class Account:
    """An account with at most the stack of a front, which has these parameters."""

    class ClientError(Exception):
        pass

    def __init__(self, **parameters: str) -> None:
        self.exceptions = SimpleNamespace(ClientError=self.ClientError, ResourceNotFoundException=LookupError)
        self._parameters = parameters

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        if not self._parameters:
            raise self.ClientError(f"{StackName} does not exist")
        found = [{"ParameterKey": name, "ParameterValue": value} for name, value in self._parameters.items()]
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Parameters": found}]}

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        raise LookupError(FunctionName)


class TestDeployFront:
    def deploy(self, project: Any, account: Account, **given: str) -> None:
        list(deploy_front(lambda _: account, project, project / RESOURCES, "slimception", "prod", list, given))

    @pytest.mark.parametrize(
        ("before", "given"), [({}, {"UrlAccess": "Open"}), ({"UrlAccess": "Open"}, {})], ids=["asked", "as it was"]
    )
    def test_an_open_url_without_a_bound_is_refused(
        self, projects: dict[str, Any], before: dict[str, str], given: dict[str, str]
    ) -> None:
        with pytest.raises(PackageError, match="an open function URL has no throttle, and stage prod no reserved_conc"):
            self.deploy(projects["url"], Account(**before), **given)

    def test_one_that_is_closed_again_is_not(self, projects: dict[str, Any]) -> None:
        with pytest.raises(PackageError, match="there is no function slimception-prod-front: deploy it first"):
            self.deploy(projects["url"], Account(UrlAccess="Open"), UrlAccess="IAM")

    def test_a_bounded_one_is_not(self, tmp_path: Any) -> None:
        project = project_with(tmp_path, "prod", FRONT="url")
        config = json.loads((project / ".chalice/config.json").read_text())
        config["stages"]["prod"]["lambda_functions"]["front"] = {"reserved_concurrency": 5}
        (project / ".chalice/config.json").write_text(json.dumps(config))
        with pytest.raises(PackageError, match="there is no function slimception-prod-front: deploy it first"):
            self.deploy(project, Account(), UrlAccess="Open")

    def test_a_rest_api_has_no_stack_of_a_front(self, projects: dict[str, Any]) -> None:
        self.deploy(projects["rest"], Account())


class TestRoutes:
    def test_they_are_those_of_the_app_in_this_stage(self, routes: list[Route]) -> None:
        assert Route("POST", "/predict/image", False) in routes
        assert Route("GET", "/batches/{batch_id}", True) in routes

    def test_head_is_added_to_each_get_and_not_twice(self) -> None:
        found = with_head([Route("GET", "/a", True), Route("GET", "/b", False), Route("HEAD", "/b", False)])
        assert found == [
            Route("GET", "/a", True),
            Route("HEAD", "/a", True),
            Route("GET", "/b", False),
            Route("HEAD", "/b", False),
        ]

    def test_an_app_that_does_not_import(self, tmp_path: Any) -> None:
        project = project_with(tmp_path, "prod", FRONT="http")
        (project / "app.py").write_text("import no_such_module")
        with pytest.raises(PackageError, match=r"app\.py cannot be imported \(.*no_such_module"):
            routes_of(project, "prod")


def test_only_the_functions_own_part_has_another_name_for_chalice() -> None:
    merged = for_chalice({"Resources": {"APIHandler": {"a": 1}, "Worker": {}}})
    assert merged == {"Resources": {"Front": {"a": 1}, "Worker": {}}}


def test_an_unknown_front() -> None:
    config = {"stages": {"dev": {"environment_variables": {"FRONT": "alb"}}}}
    with pytest.raises(StageError, match="stage dev has FRONT='alb': expected one of rest, http, url"):
        front_of(config, "dev")
    assert front_of({"stages": {"dev": {}}}, "dev") == "rest"


def test_a_setting_is_looked_up_where_chalice_does() -> None:
    config: dict[str, Any] = {"stages": {"dev": {}}, "lambda_functions": {"front": {"n": 3}}, "n": 4}
    assert of_function({**config, "lambda_functions": {}}, "dev", "front", "n") == 4
    assert of_function(config, "dev", "front", "n") == 3
    config["stages"]["dev"]["n"] = 2
    assert of_function(config, "dev", "front", "n") == 2
    config["stages"]["dev"]["lambda_functions"] = {"front": {"n": 1}}
    assert of_function(config, "dev", "front", "n") == 1
    assert of_function(config, "dev", "front", "m") is None
