"""What the template says of target and layers, beyond .chalice/resources.json, which is the same for all."""

import hashlib
import json
from pathlib import Path

from layers.deploy.layer_set import Layer
from layers.deploy.resources import Template, read_resources
from layers.errors import PackageError
from layers.targets import Target

FUNCTION, ALIAS = "APIHandler", "APIHandlerAliaslive"
"""Logical ids of the function behind the API, which Chalice gives, and of its alias "live", which SAM makes.
Source: AWS SAM developer guide, "Generated CloudFormation resources"."""
PERMISSION = "APIHandlerInvokePermission"
"""Logical id of what lets the API call the function, which Chalice gives."""


def merge_template(resources: Path, target: Target, layers: list[Layer], stage: str = "dev") -> Template:
    """resources.json for a stage, with the API's runtime, processor and layers; raises PackageError.

    A layer's logical id names its content: when the content changes, so does the function, and SAM
    publishes a new version behind the alias.
    """
    template = read_resources(resources)
    ids = {_logical_id(layer): layer for layer in layers}
    found = template.setdefault("Resources", {})
    template.get("Parameters", {}).get("Stage", {})["Default"] = stage
    properties = found.setdefault(FUNCTION, {}).setdefault("Properties", {})
    properties |= {
        "Runtime": f"python{target.python}",
        "Architectures": [target.arch],
        "Layers": [{"Ref": logical_id} for logical_id in ids],
    }
    found |= {logical_id: _resource(layer) for logical_id, layer in ids.items()}
    return template


def equip_functions(template: Template) -> Template:
    """Give every function the runtime, the processor and the layers of the one behind the API."""
    resources = template["Resources"]
    of_api = {name: resources[FUNCTION]["Properties"][name] for name in ("Runtime", "Architectures", "Layers")}
    for resource in resources.values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"] |= of_api
    return template


def call_through_alias(template: Template) -> Template:
    """Send the API's calls to the alias, since SnapStart works on published versions only.

    Raises PackageError when Chalice's template is not the one that this knows.
    """
    text, integration = json.dumps(template), "functions/${{{}}}/invocations"
    if integration.format(f"{FUNCTION}.Arn") not in text or PERMISSION not in template["Resources"]:
        raise PackageError("the template has no integration or permission of the known form: is this Chalice 1.34?")
    routed: Template = json.loads(text.replace(integration.format(f"{FUNCTION}.Arn"), integration.format(ALIAS)))
    routed["Resources"][PERMISSION]["Properties"]["FunctionName"] = {"Ref": ALIAS}
    return routed


def _logical_id(layer: Layer) -> str:
    words = "".join(word.capitalize() for word in layer.path.stem.replace("_", "-").split("-"))
    return f"{words}{hashlib.sha256(layer.path.read_bytes()).hexdigest()[:8]}"


def _resource(layer: Layer) -> Template:
    properties = {"LayerName": layer.name, "ContentUri": f"./{layer.path.name}", "RetentionPolicy": "Delete"}
    return {"Type": "AWS::Serverless::LayerVersion", "Properties": properties | layer.compatibility()}
