"""Everything that a deployment makes in the account, resource by resource, without what two equal ones differ in."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from localaws.cloud.local_aws import LocalAws

State = dict[str, Any]
_CHANGING = {
    *("LastModified", "RevisionId", "CodeSha256", "CodeSize", "UUID", "EventSourceMappingArn", "Sid"),
    *("CreatedTimestamp", "LastModifiedTimestamp", "CreationDateTime", "TableId", "creationDate", "createdDate"),
    *("lastUpdatedDate", "deploymentId", "id", "parentId", "rootResourceId", "revisionId", "updateDate"),
    *("RoleId", "CreateDate", "ResponseMetadata", "LatestStreamLabel", "StateTransitionReason"),
    "endpointConfiguration",
}
"""Fields with a time or an id that AWS chooses; moto's importer forgets the kind of endpoint until an update."""
_ID = re.compile(r"(execute-api:[^:]+:[^:]+:)\w+|[0-9a-f]{8}-[0-9a-f-]{27}|(?<=-WorkflowRole)-[A-Z0-9]{12}")
"""Ids within texts: of a REST API, of a stack, of the role that CloudFormation names."""


def state_of(cloud: LocalAws) -> State:
    """All resources under `kind name`. The logs that Lambda makes by itself are left out, since calls make them."""
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        clients[service] = clients.get(service) or cloud.client(service)
        return clients[service]

    try:
        found: State = {}
        for part in (_functions, _roles, _apis, _queues, _data, _machines, _stacks):
            for name, resource in part(client):
                assert name not in found, f"{name} is there twice"
                found[name] = _steady(resource)
        return found
    finally:
        for one in clients.values():
            one.close()


def differences(one: State, other: State) -> list[str]:
    """What only one of the two has, or has in another form."""
    return [
        f"{name}: {_text(one.get(name))} | {_text(other.get(name))}"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]


Client = Callable[[str], Any]
Resources = Iterator[tuple[str, Any]]


def _functions(client: Client) -> Resources:
    functions = client("lambda")
    for function in functions.list_functions()["Functions"]:
        name = function["FunctionName"]
        details = functions.get_function(FunctionName=name)
        yield f"function {name}", {"configuration": details["Configuration"], "tags": details.get("Tags")}
        yield f"policy of {name}", _policy(functions, name)
        yield f"concurrency of {name}", functions.get_function_concurrency(FunctionName=name)
    for layer in functions.list_layers()["Layers"]:
        for version in functions.list_layer_versions(LayerName=layer["LayerName"])["LayerVersions"]:
            yield f"layer {layer['LayerName']}:{version['Version']}", version.get("Description")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        yield f"mapping {mapping['EventSourceArn']} -> {mapping['FunctionArn']}", mapping


def _policy(functions: Any, name: str) -> Any:
    try:
        return json.loads(functions.get_policy(FunctionName=name)["Policy"])
    except functions.exceptions.ResourceNotFoundException:
        return None


def _roles(client: Client) -> Resources:
    iam = client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
        documents = [iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in policies]
        yield f"role {_steady(name)}", [role["AssumeRolePolicyDocument"], policies, documents]


def _apis(client: Client) -> Resources:
    gateway = client("apigateway")
    for api in gateway.get_rest_apis()["items"]:
        yield f"REST API {api['name']}", api
        for resource in gateway.get_resources(restApiId=api["id"], embed=["methods"])["items"]:
            yield f"route {api['name']} {resource['path']}", resource
        for stage in gateway.get_stages(restApiId=api["id"])["item"]:
            yield f"stage {api['name']} {stage['stageName']}", stage


def _queues(client: Client) -> Resources:
    queues = client("sqs")
    for url in queues.list_queues().get("QueueUrls", []):
        attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        kept = {name: value for name, value in attributes.items() if not name.startswith("ApproximateNumber")}
        yield f"queue {url.rpartition('/')[2]}", kept


def _data(client: Client) -> Resources:
    tables, buckets = client("dynamodb"), client("s3")
    for name in tables.list_tables()["TableNames"]:
        yield f"table {name}", tables.describe_table(TableName=name)["Table"]
    for bucket in buckets.list_buckets()["Buckets"]:
        name = bucket["Name"]
        notification = buckets.get_bucket_notification_configuration(Bucket=name)
        yield f"bucket {name}", [one["QueueArn"] for one in notification.get("QueueConfigurations", [])]


def _machines(client: Client) -> Resources:
    machines, logs = client("stepfunctions"), client("logs")
    for machine in machines.list_state_machines()["stateMachines"]:
        yield (
            f"state machine {machine['name']}",
            machines.describe_state_machine(stateMachineArn=machine["stateMachineArn"]),
        )
    for group in logs.describe_log_groups()["logGroups"]:
        if not group["logGroupName"].startswith("/aws/lambda/"):
            yield f"log {group['logGroupName']}", group.get("retentionInDays")


def _stacks(client: Client) -> Resources:
    stacks = client("cloudformation")
    for stack in stacks.describe_stacks()["Stacks"]:
        status = stack["StackStatus"].replace("UPDATE_", "CREATE_")
        template = stacks.get_template(StackName=stack["StackName"])["TemplateBody"]
        parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
        resources = stacks.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
        names = sorted(resource["LogicalResourceId"] for resource in resources)
        yield f"stack {stack['StackName']}", [status, template, parameters, names]


def _steady(node: Any) -> Any:
    """The resource without times and ids."""
    if isinstance(node, dict):
        return {name: _steady(value) for name, value in node.items() if name not in _CHANGING}
    if isinstance(node, list | tuple):
        return [_steady(value) for value in node]
    return _ID.sub(r"\1", node) if isinstance(node, str) else node


def _text(resource: Any) -> str:
    return json.dumps(resource, default=str, sort_keys=True)[:2000] if resource is not None else "is not there"
