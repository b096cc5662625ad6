"""The packaged stack as CloudFormation would make it: SAM's macro applied, conditions decided."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from layers.deploy.cloudformation import references
from layers.deploy.resources import read_resources
from tests.support.packages import packaged
from tests.support.paths import ROOT
from tests.support.templates import ACCOUNT, REGION, Template, defaults, errors_in, expanded, made_with

OPTIONAL = {"ApiKey", "UsagePlan", "UsagePlanKey", "Domain", "DomainMapping", "WebAcl"}
ORIGIN = "https://pictures.example"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Of a stage with a canary and an origin."""
    return packaged(tmp_path_factory.mktemp("stack"), CANARY_MINUTES="5", CORS_ALLOW_ORIGIN=ORIGIN)


def of_type(resources: Template, kind: str) -> dict[str, Any]:
    return {name: r.get("Properties", {}) for name, r in resources.items() if r["Type"] == kind}


def test_cfn_lint_finds_neither_an_error_nor_a_warning_in_any_region(template: Template) -> None:
    assert errors_in(template) == []


def test_the_stages_name_is_no_parameter(template: Template) -> None:
    """Another name in the template alone would part queues from the functions that read them."""
    assert "Stage" not in template["Parameters"] and "${Stage}" not in json.dumps(template)
    queues = {queue["QueueName"] for queue in of_type(template["Resources"], "AWS::SQS::Queue").values()}
    assert queues == {f"slimception-prod-{name}" for name in ("pictures", "listings", "dead-letters")}


def test_by_default_nothing_optional_is_made(template: Template) -> None:
    assert not OPTIONAL & set(made_with(template)) and set(template["Resources"]) >= OPTIONAL


class TestApi:
    def test_there_is_one_stage_and_it_is_throttled(self, template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
        """SAM's deployment makes a second one, named `Stage`, unless the API states the version of its document."""
        resources = expanded(template, monkeypatch)
        (stage,) = of_type(resources, "AWS::ApiGateway::Stage").values()
        (deployment,) = of_type(resources, "AWS::ApiGateway::Deployment").values()
        assert stage["StageName"] == "api" and "StageName" not in deployment
        (setting,) = stage["MethodSettings"]
        assert (setting["ResourcePath"], setting["HttpMethod"]) == ("/*", "*")
        limits = (setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"])
        assert limits == ({"Ref": "RequestsPerSecond"}, {"Ref": "RequestBurst"})
        assert (defaults(template)["RequestsPerSecond"], defaults(template)["RequestBurst"]) == (20, 40)

    def test_a_changed_parameter_reaches_the_stage(self, template: Template) -> None:
        """SAM names a deployment after the document's text, in which conditions are still open."""
        assert template["Resources"]["RestAPI"]["Properties"]["AlwaysDeploy"] is True

    @pytest.mark.parametrize("kind", ["DEFAULT_4XX", "DEFAULT_5XX"])
    def test_errors_of_the_gateway_can_be_read_by_the_pages_origin(
        self, template: Template, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        (api,) = of_type(expanded(template, monkeypatch), "AWS::ApiGateway::RestApi").values()
        answer = api["Body"]["x-amazon-apigateway-gateway-responses"][kind]
        headers = answer["responseParameters"]
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == f"'{ORIGIN}'"
        body = answer["responseTemplates"]["application/json"]
        filled = body.replace("$context.error.responseType", "THROTTLED").replace("$context.error.messageString", '"x"')
        assert json.loads(filled) == {"Code": "THROTTLED", "Message": "x"}

    @pytest.mark.parametrize(
        ("authentication", "asked"),
        [("None", None), ("ApiKey", "api_key"), ("IAM", "sigv4"), ("Cognito", "cognito")],
    )
    def test_each_operation_but_a_preflight_asks_for_what_the_parameter_says(
        self, template: Template, authentication: str, asked: str | None
    ) -> None:
        api = made_with(template, Authentication=authentication, UserPoolArn="arn")["RestAPI"]
        document = api["Properties"]["DefinitionBody"]
        found = {(path, method): one for path, some in document["paths"].items() for method, one in some.items()}
        preflights = [one for (_, method), one in found.items() if method == "options"]
        assert len(preflights) >= 6 and not any("security" in one for one in preflights)
        others = {key: one.get("security") for key, one in found.items() if key[1] != "options"}
        batches = [others.pop(key) for key in list(others) if key[0].startswith("/batches")]
        assert batches == [[{"sigv4": []}]] * 3, "what a route in app.py asks for stays"
        assert others and list(others.values()) == [[{asked: []}] if asked else None] * len(others)
        assert asked is None or asked in document["securityDefinitions"]
        assert ("cognito" in document["securityDefinitions"]) is (asked == "cognito")

    def test_a_key_has_a_plan_for_the_stage(self, template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
        made = made_with({**template, "Resources": expanded(template, monkeypatch)}, Authentication="ApiKey")
        assert OPTIONAL & set(made) == {"ApiKey", "UsagePlan", "UsagePlanKey"}
        (stage,) = made["UsagePlan"]["Properties"]["ApiStages"]
        assert made[stage["Stage"]["Ref"]]["Properties"]["StageName"] == "api"

    def test_domain_and_web_acl_lead_to_the_one_stage(
        self, template: Template, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = {**template, "Resources": expanded(template, monkeypatch)}
        made = made_with(whole, DomainName="api.example.com", CertificateArn="c", WebAclArn="w")
        assert OPTIONAL & set(made) == {"Domain", "DomainMapping", "WebAcl"}
        assert made["Domain"]["Properties"]["SecurityPolicy"] == "TLS_1_2"
        assert made[made["DomainMapping"]["Properties"]["Stage"]["Ref"]]["Type"] == "AWS::ApiGateway::Stage"
        assert made["WebAcl"]["Properties"]["ResourceArn"]["Fn::Sub"].endswith("/stages/${RestAPIapiStage}")

    def test_a_choice_without_what_it_needs_is_refused(self, template: Template) -> None:
        checked = {name: json.dumps(rule) for name, rule in template["Rules"].items()}
        assert set(checked) == {
            "DomainHasCertificate",
            "CognitoHasUserPool",
            "SnapStartHasSmallTmp",
            "ScheduleHasSource",
        }
        assert "TmpMegabytes" in checked["SnapStartHasSmallTmp"]
        assert "CertificateArn" in checked["DomainHasCertificate"] and "UserPoolArn" in checked["CognitoHasUserPool"]


class TestModelInS3:
    URI = "s3://bucket/models/big/"
    READERS = ("ApiHandlerRole", "WorkerRole", "LexRole", "PlanRole", "ClassifyRole", "CanaryRole")

    @staticmethod
    def rights(resources: Template) -> dict[str, list[Any]]:
        """The statements on the bundle by role."""
        policies = of_type(resources, "AWS::IAM::Role").items()
        found = {
            name: [
                one for p in role["Policies"] for one in p["PolicyDocument"]["Statement"] if one["Sid"] == "ReadModel"
            ]
            for name, role in policies
        }
        return {name: statements for name, statements in found.items() if statements}

    def test_by_default_there_is_none(self, template: Template) -> None:
        resources = made_with(template)
        assert defaults(template)["ModelUri"] == "" and self.rights(resources) == {}
        for function in of_type(resources, "AWS::Serverless::Function").values():
            assert "MODEL_URI" not in function["Environment"]["Variables"]

    def test_a_parameter_gives_functions_the_variable_and_those_that_classify_the_right(
        self, template: Template
    ) -> None:
        resources = made_with(template, ModelUri=self.URI)
        for function in of_type(resources, "AWS::Serverless::Function").values():
            assert function["Environment"]["Variables"]["MODEL_URI"] == {"Ref": "ModelUri"}
            assert function["EphemeralStorage"] == {"Size": {"Ref": "TmpMegabytes"}}
        rights = self.rights(resources)
        assert sorted(rights) == sorted(self.READERS)
        for (statement,) in rights.values():
            assert statement["Action"] == ["s3:GetObject"]
            text, values = statement["Resource"]["Fn::Sub"]
            bundle = self.URI.split("s3://")[values["Bundle"]["Fn::Select"][0]]
            assert text.replace("${Bundle}", bundle) == "arn:${AWS::Partition}:s3:::bucket/models/big/*"
            assert statement["Condition"] == {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}

    @pytest.mark.parametrize("uri", ["", URI, "s3://my.bucket/v=1@x/Big_1.0/"])
    def test_the_pattern_takes_what_the_app_takes(self, template: Template, uri: str) -> None:
        assert re.fullmatch(template["Parameters"]["ModelUri"]["AllowedPattern"], uri)

    @pytest.mark.parametrize("uri", ["s3://bucket/", "s3://bucket/big", "s3://bucket/*/", "big/", "s3://bucket/../x/"])
    def test_and_nothing_else(self, template: Template, uri: str) -> None:
        assert not re.fullmatch(template["Parameters"]["ModelUri"]["AllowedPattern"], uri)


class TestFunctions:
    def test_each_one_is_made_after_its_log_group_and_may_write_to_that(
        self, template: Template, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A group that refers to the function is made after it, when Lambda may have made one without a retention."""
        resources = expanded(template, monkeypatch)
        functions = of_type(resources, "AWS::Lambda::Function")
        assert len(functions) == 9
        for name, function in functions.items():
            group = resources[function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
            end = "" if name == "APIHandler" else f"-{name.lower()}"
            assert group == {
                "LogGroupName": f"/aws/lambda/slimception-prod{end}",
                "RetentionInDays": {"Ref": "LogRetentionDays"},
            }
            stream = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group['LogGroupName']}:log-stream:2026"
            role = resources[function["Role"]["Fn::GetAtt"][0]]["Properties"]
            assert any(fnmatchcase(stream, pattern) for pattern in log_groups(role)), name

    def test_lambda_logs_nothing_of_its_own_on_invocations_that_succeed(self, template: Template) -> None:
        for function in of_type(template["Resources"], "AWS::Serverless::Function").values():
            assert function["LoggingConfig"]["LogFormat"] == "JSON"
            assert function["LoggingConfig"]["SystemLogLevel"] == {"Ref": "SystemLogLevel"}
        assert defaults(template)["SystemLogLevel"] == "WARN"

    def test_an_old_version_is_deleted(self, template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
        """SAM keeps all of them, and with SnapStart each one costs its snapshot by the hour."""
        resources = expanded(template, monkeypatch, SnapStart="PublishedVersions")
        (version,) = [r for r in resources.values() if r["Type"] == "AWS::Lambda::Version"]
        assert version["DeletionPolicy"] == "Delete"

    def test_no_concurrency_is_reserved_by_default(self, template: Template) -> None:
        """A new account has ten instances in all, of which Lambda keeps ten unreserved."""
        reserved = "ReservedConcurrentExecutions"
        assert reserved not in made_with(template)["APIHandler"]["Properties"]
        made = made_with(template, ReservedConcurrency=20)["APIHandler"]["Properties"]
        assert made[reserved] == {"Ref": "ReservedConcurrency"}

    def test_a_gradual_deployment_is_taken_back_by_alarms(
        self, template: Template, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind = "AWS::CodeDeploy::DeploymentGroup"
        assert not of_type(expanded(template, monkeypatch), kind)
        resources = expanded(template, monkeypatch, GradualDeployment="true")
        (group,) = of_type(resources, kind).values()
        assert "Canary10Percent5Minutes" in json.dumps(group["DeploymentConfigName"])
        alarms = [resources[one["Name"]["Ref"]] for one in group["AlarmConfiguration"]["Alarms"]]
        assert len(alarms) == 4 and {alarm["Type"] for alarm in alarms} == {"AWS::CloudWatch::Alarm"}


class TestData:
    def test_bucket_and_queues_refuse_what_is_not_encrypted_on_its_way(self, template: Template) -> None:
        resources = template["Resources"]
        protected = []
        for kind in ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
            for policy in of_type(resources, kind).values():
                (deny,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
                assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} and deny["Principal"] == "*"
                protected += [ref["Ref"] for ref in policy.get("Queues", [policy.get("Bucket")])]
                assert json.dumps(protected[-1]) in json.dumps(deny["Resource"]).replace(".Arn", '"').replace("${", '"')
        stores = {*of_type(resources, "AWS::SQS::Queue"), *of_type(resources, "AWS::S3::Bucket")}
        assert set(protected) == stores

    def test_dead_letters_are_kept_longer_than_messages(self, template: Template) -> None:
        """SQS counts from the first sending, so that a message needs time left when it becomes a dead letter."""
        queues = of_type(template["Resources"], "AWS::SQS::Queue")
        days = {name: queue["MessageRetentionPeriod"] / 86_400 for name, queue in queues.items()}
        assert days == {"Pictures": 4, "Listings": 4, "DeadLetters": 14}

    def test_s3_deletes_only_if_asked_to(self, template: Template) -> None:
        def rules(**parameters: Any) -> dict[str, Any]:
            bucket = made_with(template, **parameters)["Bucket"]["Properties"]
            return {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}

        always = {"unfinished", "uploads"}
        assert set(rules()) == always
        asked = rules(DeleteAfterDays=30)
        assert set(asked) == always | {"incoming", "results", "workflows"}
        for name in set(asked) - always:
            assert asked[name]["Prefix"] == f"{name}/" and asked[name]["ExpirationInDays"] == {"Ref": "DeleteAfterDays"}


class TestAlarms:
    WATCHED = (
        *(("AWS/Lambda", metric) for metric in ("Errors", "Throttles", "Duration", "RecursiveInvocationsDropped")),
        ("AWS/ApiGateway", "5XXError"),
        ("AWS/DynamoDB", "WriteThrottleEvents"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/States", "ExecutionsFailed"),
    )

    def test_what_hurts_is_watched_and_somebody_is_notified(self, template: Template) -> None:
        alarms = of_type(made_with(template, AlarmTopicArn="arn"), "AWS::CloudWatch::Alarm")
        found = {(str(alarm.get("Namespace")), alarm.get("MetricName")) for alarm in alarms.values()}
        assert set(self.WATCHED) <= found
        assert all(alarm["AlarmActions"] == [{"Ref": "AlarmTopicArn"}] for alarm in alarms.values())
        assert not any(
            "AlarmActions" in alarm for alarm in of_type(made_with(template), "AWS::CloudWatch::Alarm").values()
        )

    def test_the_canary_has_one(self, template: Template) -> None:
        alarm = template["Resources"]["CanaryErrorsAlarm"]["Properties"]
        assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "Canary"}}]

    def test_the_apis_name_is_the_one_that_cloudwatch_counts_by(self, template: Template) -> None:
        (name, stage) = template["Resources"]["ServerErrorsAlarm"]["Properties"]["Dimensions"]
        document = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
        assert name == {"Name": "ApiName", "Value": document["info"]["title"]}
        assert stage == {"Name": "Stage", "Value": "api"}

    @pytest.mark.parametrize(
        ("age_s", "answered", "alarmed"),
        [(0, 0, 0), (899, 0, 0), (20_000, 1_500, 0), (20_000, 1, 0), (901, 0, 1)],
        ids=["idle", "waits for a moment", "a large batch", "a slow one", "no worker"],
    )
    def test_a_large_batch_that_goes_on_is_no_alarm(
        self, template: Template, age_s: int, answered: int, alarmed: int
    ) -> None:
        alarm = template["Resources"]["PicturesAgeAlarm"]["Properties"]
        (expression,) = [metric["Expression"] for metric in alarm["Metrics"] if "Expression" in metric]
        form = re.fullmatch(r"IF\(age > (\d+) AND FILL\(answered, 0\) < (\d+), 1, 0\)", expression)
        assert form
        assert int(age_s > int(form[1]) and answered < int(form[2])) == alarmed
        metrics = {m["Id"]: m["MetricStat"]["Metric"]["MetricName"] for m in alarm["Metrics"] if "MetricStat" in m}
        assert metrics == {"age": "ApproximateAgeOfOldestMessage", "answered": "NumberOfMessagesDeleted"}


def log_groups(role: Template) -> Iterator[str]:
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if "logs:PutLogEvents" in statement["Action"]:
                resources = statement["Resource"]
                yield from [resources] if isinstance(resources, str) else resources


def test_without_a_canary_nothing_names_it() -> None:
    template = read_resources(ROOT / ".chalice/resources.json", "prod")
    assert "Canary" not in set(template["Resources"]) | references(template["Resources"])
    assert not {"CanaryLog", "CanaryErrorsAlarm"} & set(template["Resources"])
