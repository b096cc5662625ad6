"""What the template says of target and layers. The rest is .chalice/resources.json, the same for all targets."""

import hashlib
from pathlib import Path

from layers.cpulist import library
from layers.deploy.authentication import with_authentication
from layers.deploy.cloudformation import REF, Template, references, resolved
from layers.deploy.gateway import sam_responses
from layers.deploy.layer_set import Layer
from layers.deploy.names import FUNCTION
from layers.deploy.resources import LOG, read_resources
from layers.errors import PackageError
from layers.targets import Target

ALIAS_NAME = "live"
ALIAS = f"{FUNCTION}Alias{ALIAS_NAME}"
"""Logical id of the function's alias, which SAM makes.
Source: AWS SAM developer guide, "Generated CloudFormation resources"."""
_ONE_STAGE = {"OpenApiVersion": "2.0", "AlwaysDeploy": True}
"""Without the version, SAM makes a second stage named `Stage`, open beside the throttled one. Without the other, a
parameter that changes the API's document would not reach its stage: SAM looks at the document's text alone.
Source: AWS SAM developer guide, "AWS::Serverless::Api"."""
_THROTTLE = {
    "ResourcePath": "/*",
    "HttpMethod": "*",
    "ThrottlingRateLimit": {REF: "RequestsPerSecond"},
    "ThrottlingBurstLimit": {REF: "RequestBurst"},
}
LOG_FORMAT = {"LogFormat": "JSON", "SystemLogLevel": {REF: "SystemLogLevel"}}
"""With it Lambda leaves out its START, END and REPORT of invocations that succeed.
Source: AWS Lambda developer guide, "Log-level filtering for system logs"."""
API, PERMISSION = "RestAPI", "APIHandlerInvokePermission"
"""Logical ids, given by Chalice, of the API and of the permission to call the function."""
API_NAME = "RestAPI.Name"
"""What .chalice/resources.json refers to for the API's name, by which CloudWatch counts."""
_NAME = {REF: "AWS::StackName"}


def merge_template(resources: Path, target: Target, layers: list[Layer], stage: str = "dev") -> Template:
    """resources.json for a stage, with the API's runtime, processor and layers; raises PackageError.

    A layer's logical id names its content. If the content changes, so does the function, and SAM publishes a
    new version behind the alias.
    """
    template: Template = resolved(read_resources(resources, stage), {API_NAME: _NAME})
    ids = {_logical_id(layer): layer for layer in layers}
    found = template.setdefault("Resources", {})
    properties = found.setdefault(FUNCTION, {}).setdefault("Properties", {})
    properties |= {
        "Runtime": f"python{target.python}",
        "Architectures": [target.arch],
        "Layers": [{"Ref": logical_id} for logical_id in ids],
    }
    found |= {logical_id: _resource(layer) for logical_id, layer in ids.items()}
    return template


def equip_functions(template: Template) -> Template:
    """Give every function the runtime, the processor, its LD_PRELOAD and the layers of the one behind the API.

    And its log group: a function that names it is made after it, and Lambda then makes none without a retention.
    """
    resources = template["Resources"]
    of_api = {name: resources[FUNCTION]["Properties"][name] for name in ("Runtime", "Architectures", "Layers")}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"] |= of_api | {"LoggingConfig": {"LogGroup": {REF: f"{name}{LOG}"}, **LOG_FORMAT}}
            _load_library(resource["Properties"])
    return template


def _load_library(function: Template) -> None:
    """Set the function's LD_PRELOAD for its processor; what the user loads stays."""
    [arch], variables = function["Architectures"], function.get("Environment", {}).get("Variables", {})
    wanted = library.preload(arch, variables.pop(library.VARIABLE, ""))
    if wanted:
        function.setdefault("Environment", {}).setdefault("Variables", variables)[library.VARIABLE] = wanted


def call_through_alias(template: Template) -> Template:
    """Send the API's calls to the alias, since SnapStart works on published versions only.

    Raises PackageError if Chalice's template is not of the known form.
    """
    resources, alias = template["Resources"], {"Ref": ALIAS}
    if FUNCTION not in references(resources.get(API)) or PERMISSION not in resources:
        raise PackageError("the template has no integration or permission of the known form: is this Chalice 1.34?")
    api = resolved(resources[API], {f"{FUNCTION}.Arn": alias})
    permission = resolved(resources[PERMISSION], {FUNCTION: alias})
    return {**template, "Resources": {**resources, API: api, PERMISSION: permission}}


def equip_api(template: Template, origin: str) -> Template:
    """Give the API its name, throttle, error answers for pages of `origin`, and the choice of an authentication."""
    api = template["Resources"][API]
    document = with_authentication(api["Properties"]["DefinitionBody"])
    document = {**document, "info": {**document["info"], "title": _NAME}}
    own = {"DefinitionBody": document, "GatewayResponses": sam_responses(origin), "MethodSettings": [_THROTTLE]}
    properties = {**api["Properties"], **own, **_ONE_STAGE}
    return {**template, "Resources": {**template["Resources"], API: {**api, "Properties": properties}}}


def _logical_id(layer: Layer) -> str:
    words = "".join(word.capitalize() for word in layer.path.stem.replace("_", "-").split("-"))
    return f"{words}{hashlib.sha256(layer.path.read_bytes()).hexdigest()[:8]}"


def _resource(layer: Layer) -> Template:
    properties = {"LayerName": layer.name, "ContentUri": f"./{layer.path.name}", "RetentionPolicy": "Delete"}
    return {"Type": "AWS::Serverless::LayerVersion", "Properties": properties | layer.compatibility()}
