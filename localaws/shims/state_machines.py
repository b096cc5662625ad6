"""Moto's Step Functions, with what the definition language has and moto lacks.

Moto's grammar knows no ItemBatcher and no EXPRESS. Its CloudFormation puts state machines where its interpreter does
not look. A ResultWriter's paths lead into the results. An execution without a name gets none. Each Lambda task makes a
new client. Everything else of an execution is done by moto's own interpreter. An express child runs as a standard one
here, with the limit of `express`: the other difference is the price.

Source of ItemBatcher: AWS Step Functions developer guide, "ItemBatcher (Map)".
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple
from unittest import mock

from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval import resource_eval_s3 as reader
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.resource_eval import (
    resource_eval_s3 as writer,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.result_writer_decl import ResultWriter
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils.json_path import extract_json
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends

from localaws.access.clients import Clients
from localaws.shims.mappings import May

BATCHER, TOLERATED = "ItemBatcher", "ToleratedFailurePercentage"
_MAX_ITEMS, _MAX_BYTES, _INPUT = "MaxItemsPerBatch", "MaxInputBytesPerBatch", "BatchInput"
MAX_INPUT_BYTES = 256 * 1024
"""Of a child's input, whatever MaxInputBytesPerBatch says."""

Definition = dict[str, Any]


def patches(endpoint_url: str, may: May) -> Iterator[Any]:
    """What to enter while state machines are made and run."""
    yield mock.patch.object(AmazonStateLanguageParser, "parse", staticmethod(_parser(AmazonStateLanguageParser.parse)))
    yield mock.patch.object(
        DistributedIterationComponent, "_map_run", _in_batches(DistributedIterationComponent._map_run, may)
    )
    yield mock.patch.object(ResultWriter, "_eval_body", _of_the_input(ResultWriter._eval_body))
    yield mock.patch.object(StateMachine, "create_from_cloudformation_json", classmethod(_create))
    yield mock.patch.object(StateMachine, "update_from_cloudformation_json", classmethod(_update))
    yield mock.patch.object(
        StepFunctionsParserBackend, "start_execution", _named(StepFunctionsParserBackend.start_execution)
    )
    clients = Clients(endpoint_url)
    yield closing(clients)
    for module in (lambda_eval_utils, reader, writer):
        yield mock.patch.object(module, "boto_client_for", _with_its_role(clients))


def _with_its_role(clients: Clients) -> Any:
    """A client that repeats nothing: that is the task of the definition's Retry."""

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        role = state_credentials.role_arn.rpartition("/")[2] if state_credentials else ""
        return clients.get(region, service, role)

    return client_for


def _parser(parse: Any) -> Any:
    def parse_all(text: str) -> Any:
        definition = json.loads(text)
        taken = _taken_out(definition.get("States", {}))
        program, tree = parse(json.dumps(definition))
        _put_back(program.states, taken)
        return program, tree

    return parse_all


class _Taken(NamedTuple):
    batcher: Definition | None
    is_express: bool


def _taken_out(states: Definition) -> dict[str, _Taken]:
    """What moto does not know of each Map, by the state's name, which is unique in a state machine.

    Moto tolerates every failure and warns if a definition gives a limit. A limit of 100 percent is left out, for it
    says the same.
    """
    found: dict[str, _Taken] = {}
    for name, state in states.items():
        processor = state.get("ItemProcessor", {})
        is_express = processor.get("ProcessorConfig", {}).get("ExecutionType") == "EXPRESS"
        found[name] = _Taken(state.pop(BATCHER, None), is_express)
        if state.get(TOLERATED) == 100:
            del state[TOLERATED]
        if is_express:
            processor["ProcessorConfig"]["ExecutionType"] = "STANDARD"
        found |= _taken_out(processor.get("States", {}))
    return found


def _put_back(states: Any, taken: Mapping[str, _Taken]) -> None:
    for name, state in states.states.items():
        component = getattr(state, "iteration_component", None)
        if component is not None:
            component.batcher, component.is_express = taken[name]
            _put_back(component._states, taken)


def _in_batches(map_run: Any, may: May) -> Any:
    def run(component: Any, env: Any, eval_input: Any) -> None:
        _check_starts_children(env, may)
        if component.batcher is not None:
            env.stack.append(list(batches(env.stack.pop(), component.batcher, env.states.get_input())))
        map_run(component, env, eval_input)

    return run


def _check_starts_children(env: Any, may: May) -> None:
    """A Distributed Map starts its children in the name of the state machine's role."""
    role = env.aws_execution_details.role_arn.rpartition("/")[2]
    machine = env.states.context_object.context_object_data["StateMachine"]["Id"]
    if not may(role, "states:StartExecution", machine):
        raise PermissionError(f"{role} may not start executions of {machine}")


def _of_the_input(write: Any) -> Any:
    """A ResultWriter's paths lead into its state's input, as an ItemReader's do."""

    def run(component: Any, env: Any) -> None:
        env.stack.append(env.states.get_input())
        write(component, env)

    return run


def batches(items: list[Any], batcher: Mapping[str, Any], state_input: Any) -> Iterator[dict[str, Any]]:
    """The inputs of the children: `{"BatchInput", "Items"}`, as many items in each as number and size allow."""
    shared = {_INPUT: _filled_in(batcher[_INPUT], state_input)} if _INPUT in batcher else {}
    most = batcher.get(_MAX_ITEMS, len(items))
    most_bytes = min(batcher.get(_MAX_BYTES, MAX_INPUT_BYTES), MAX_INPUT_BYTES)
    batch: list[Any] = []
    for item in items:
        too_many = len(batch) == most or len(json.dumps({**shared, "Items": [*batch, item]})) > most_bytes
        if batch and too_many:
            yield {**shared, "Items": batch}
            batch = []
        batch.append(item)
    if batch:
        yield {**shared, "Items": batch}


def _filled_in(template: Any, state_input: Any) -> Any:
    """A payload template: fields whose names end with `.$` are paths into the input."""
    if isinstance(template, list):
        return [_filled_in(item, state_input) for item in template]
    if not isinstance(template, dict):
        return template
    return {
        name.removesuffix(".$"): extract_json(value, state_input)
        if name.endswith(".$")
        else _filled_in(value, state_input)
        for name, value in template.items()
    }


def _create(
    _: Any,
    /,
    name: str,
    cloudformation_json: Any,
    account_id: str,
    region_name: str,
    **options: Any,  # noqa: ARG001
) -> Any:
    properties = cloudformation_json["Properties"]
    backend = stepfunctions_parser_backends[account_id][region_name]
    name = properties.get("StateMachineName", name)
    return backend.create_state_machine(name, _definition(properties), properties["RoleArn"])


def _update(
    _: Any,
    /,
    original_resource: Any,
    cloudformation_json: Any,
    account_id: str,
    region_name: str,
    **options: Any,  # noqa: ARG001
) -> Any:
    properties = cloudformation_json["Properties"]
    backend = stepfunctions_parser_backends[account_id][region_name]
    return backend.update_state_machine(original_resource.arn, _definition(properties), properties["RoleArn"])


def _named(start_execution: Any) -> Any:
    """Name an execution that has no name, as AWS does; in moto all of them would be called None."""

    def start(backend: Any, state_machine_arn: str, name: str | None = None, *args: Any, **options: Any) -> Any:
        return start_execution(backend, state_machine_arn, name or str(uuid.uuid4()), *args, **options)

    return start


def _definition(properties: Mapping[str, Any]) -> str:
    text = str(properties["DefinitionString"])
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        text = text.replace(f"${{{name}}}", str(value))
    return text
