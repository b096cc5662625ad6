"""HTTP APIs and function URLs in moto's CloudFormation, which makes neither.

Moto's API Gateway and Lambda have both: what a stack makes is theirs, and `localaws.cloud.fronts` serves it.
Source: AWS CloudFormation template reference, "Amazon API Gateway V2" and "AWS::Lambda::Url".
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from unittest import mock

from moto.apigatewayv2.models import apigatewayv2_backends
from moto.awslambda.utils import get_backend
from moto.cloudformation import parsing

Properties = Mapping[str, Any]


class Resource:
    """A resource of a stack, with what moto's CloudFormation asks of one."""

    kind: ClassVar[str]
    logical_resource_id: str
    cf_resource_type: str

    def __init__(self, physical_resource_id: str, made: Any) -> None:
        """`made` is moto's object."""
        self.physical_resource_id, self.made = physical_resource_id, made

    @classmethod
    def make(cls, properties: Properties, account_id: str, region: str) -> "Resource":
        """The resource, not yet with all of its properties."""
        raise NotImplementedError

    def fill(self, properties: Properties) -> None:
        """Set what an update may change, in place."""
        raise NotImplementedError

    def delete(self, account_id: str, region: str) -> None:
        """Delete it; nothing happens if it is gone, as with what deletes it."""
        raise NotImplementedError

    def get_cfn_attribute(self, name: str) -> str:
        """What Fn::GetAtt gives."""
        raise NotImplementedError(name)

    @classmethod
    def has_cfn_attr(cls, name: str) -> bool:  # noqa: ARG003
        """Moto asks before it makes an output."""
        return True

    def is_created(self) -> bool:
        """Nothing here takes time."""
        return True

    @classmethod
    def create_from_cloudformation_json(
        cls, _: str, cloudformation_json: Any, account_id: str, region_name: str, **__: Any
    ) -> "Resource":
        """What moto calls."""
        properties = cloudformation_json["Properties"]
        made = cls.make(properties, account_id, region_name)
        made.fill(properties)
        return made

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: "Resource", cloudformation_json: Any, **_: Any
    ) -> "Resource":
        """What moto calls."""
        original_resource.fill(cloudformation_json["Properties"])
        return original_resource


class Api(Resource):
    """An HTTP API."""

    kind = "AWS::ApiGatewayV2::Api"

    @classmethod
    def make(cls, properties: Properties, account_id: str, region: str) -> "Api":
        """One without routes."""
        unset = dict.fromkeys(
            ("api_key_selection_expression", "cors_configuration", "description", "disable_schema_validation",
             "disable_execute_api_endpoint", "route_selection_expression", "version"), None
        )  # fmt: skip
        name, protocol = properties["Name"], properties["ProtocolType"]
        made = _apis(account_id, region).create_api(**unset, name=name, protocol_type=protocol, tags={})
        return cls(made.api_id, made)

    def fill(self, properties: Properties) -> None:
        """Set its name and who may call it from a browser."""
        self.made.name = properties["Name"]
        self.made.cors_configuration = lowered(properties.get("CorsConfiguration"))

    def delete(self, account_id: str, region: str) -> None:
        """Delete it with its routes."""
        _apis(account_id, region).delete_api(self.physical_resource_id)


class _Part(Resource):
    """What belongs to an HTTP API, and goes with it."""

    def __init__(self, physical_resource_id: str, made: Any, among: dict[str, Any]) -> None:
        """`among` are the API's parts of this kind."""
        super().__init__(physical_resource_id, made)
        self._among = among

    def delete(self, account_id: str, region: str) -> None:  # noqa: ARG002
        """Take it from its API."""
        self._among.pop(self.physical_resource_id, None)


class Integration(_Part):
    """The function behind the routes."""

    kind = "AWS::ApiGatewayV2::Integration"

    @classmethod
    def make(cls, properties: Properties, account_id: str, region: str) -> "Integration":
        """One of a function."""
        api = _apis(account_id, region).get_api(properties["ApiId"])
        unset = dict.fromkeys(
            ("connection_id", "connection_type", "content_handling_strategy", "credentials_arn", "description",
             "integration_method", "passthrough_behavior", "integration_subtype", "request_parameters",
             "request_templates", "response_parameters", "template_selection_expression", "tls_config",
             "payload_format_version", "timeout_in_millis"), None
        )  # fmt: skip
        kind, uri = properties["IntegrationType"], properties["IntegrationUri"]
        made = api.create_integration(**unset, integration_type=kind, integration_uri=uri)
        return cls(made.id, made, api.integrations)

    def fill(self, properties: Properties) -> None:
        """Set the function, the format of its events, and how long it may take."""
        self.made.integration_uri = properties["IntegrationUri"]
        self.made.payload_format_version = properties["PayloadFormatVersion"]
        self.made.timeout_in_millis = int(properties["TimeoutInMillis"])


class Route(_Part):
    """A method and a path."""

    kind = "AWS::ApiGatewayV2::Route"

    @classmethod
    def make(cls, properties: Properties, account_id: str, region: str) -> "Route":
        """One to an integration."""
        api = _apis(account_id, region).get_api(properties["ApiId"])
        unset = dict.fromkeys(
            ("api_key_required", "authorization_scopes", "authorization_type", "authorizer_id",
             "model_selection_expression", "operation_name", "request_models", "request_parameters",
             "route_response_selection_expression"), None
        )  # fmt: skip
        made = api.create_route(**unset, route_key=properties["RouteKey"], target=properties["Target"])
        return cls(made.route_id, made, api.routes)

    def fill(self, properties: Properties) -> None:
        """Set its key, what it asks for, and where it leads."""
        self.made.route_key, self.made.target = properties["RouteKey"], properties["Target"]
        self.made.authorization_type = properties.get("AuthorizationType", "NONE")


class Stage(_Part):
    """A stage, which is deployed by itself."""

    kind = "AWS::ApiGatewayV2::Stage"

    @classmethod
    def make(cls, properties: Properties, account_id: str, region: str) -> "Stage":
        """One without a throttle."""
        api = _apis(account_id, region).get_api(properties["ApiId"])
        made = api.create_stage({"stageName": properties["StageName"]})
        return cls(made.name, made, api.stages)

    def fill(self, properties: Properties) -> None:
        """Set throttle and access log."""
        self.made.default_route_settings = lowered(properties.get("DefaultRouteSettings")) or {}
        self.made.access_log_settings = lowered(properties.get("AccessLogSettings"))


class Url(Resource):
    """A function URL."""

    kind = "AWS::Lambda::Url"

    @classmethod
    def make(cls, properties: Properties, account_id: str, region: str) -> "Url":
        """One of a function that is there."""
        function = get_backend(account_id, region).get_function(properties["TargetFunctionArn"])
        function.create_url_config({})
        return cls(function.function_arn, function)

    def fill(self, properties: Properties) -> None:
        """Set who may call it, from a browser and otherwise."""
        self.made.url_config.config = {name: properties[name] for name in ("AuthType", "Cors") if name in properties}

    def delete(self, account_id: str, region: str) -> None:  # noqa: ARG002
        """Take it from its function."""
        self.made.delete_url_config()

    def get_cfn_attribute(self, name: str) -> str:
        """The address, which ends with a slash."""
        found: dict[str, str] = {"FunctionUrl": f"{self.made.url_config.url}/", "FunctionArn": self.made.function_arn}
        return found[name]


_OWN: Mapping[str, Any] = {one.kind: one for one in (Api, Integration, Route, Stage, Url)}


def patches() -> Iterator[Any]:
    """What to enter while stacks are made."""
    known = parsing.get_model_map
    yield mock.patch.object(parsing, "get_model_map", lambda: {**known(), **_OWN})


def lowered(node: Any) -> Any:
    """A property's tree with the names that API Gateway's own calls have, whose first letter is small."""
    if isinstance(node, dict):
        return {name[:1].lower() + name[1:]: lowered(one) for name, one in node.items()}
    return node


def _apis(account_id: str, region: str) -> Any:
    return apigatewayv2_backends[account_id][region]
