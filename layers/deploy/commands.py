"""The commands that make, complete and delete a deployed stage. Each gives a line on each step when it is done."""

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from layers.deploy import (
    alarms,
    budget,
    destroy,
    front,
    mappings,
    policies,
    queues,
    record,
    recursion,
    settings,
    state_machine,
    triggers,
)
from layers.deploy.account import Account
from layers.deploy.resources import RESOURCES
from layers.deploy.routes import routes_of
from layers.deploy.stages import read_config

Lines = Iterable[str]


def write_policies(options: argparse.Namespace) -> Lines:
    """Write a stage's policies out of their templates; before `chalice deploy`."""
    yield policies.write_policies(options.project, options.stage)


def make_queues(options: argparse.Namespace) -> Lines:
    """Make the queues, the table, the bucket and the log groups of a stage; before `chalice deploy`."""
    return queues.deploy_queues(client("cloudformation"), *_deployed(options), _topic(options))


def write_record(options: argparse.Namespace) -> Lines:
    """Write what the account has of a stage into Chalice's record; before `chalice deploy`."""
    return record.write_record(_account(options), options.project)


def make_mappings(options: argparse.Namespace) -> Lines:
    """Make the event source mappings of a stage; after `chalice deploy`."""
    cloudformation, functions = client("cloudformation"), client("lambda")
    return mappings.deploy_mappings(cloudformation, functions, *_deployed(options), concurrency=options.concurrency)


def make_triggers(options: argparse.Namespace) -> Lines:
    """Make what calls the functions intake and lex of a stage; after `chalice deploy`."""
    given = {name: getattr(options, name) for name in triggers.OPTIONS}
    return triggers.deploy_triggers(client("cloudformation"), *_deployed(options), given)


def make_front(options: argparse.Namespace) -> Lines:
    """Make the HTTP API or the function URL of a stage, or delete the one that it had; after `chalice deploy`."""
    asked = {
        "RequestsPerSecond": options.rate,
        "RequestBurst": options.burst,
        front.ACCESS: front.ACCESSES.get(options.access),
    }
    given = {name: str(value) for name, value in asked.items() if value is not None}
    project, routes = options.project, partial(routes_of, options.project, options.stage)
    return front.deploy_front(client, project, *_deployed(options), routes, {**given, **_topic(options)})


def make_state_machine(options: argparse.Namespace) -> Lines:
    """Make the state machine of a stage; after `chalice deploy`."""
    cloudformation, functions = client("cloudformation"), client("lambda")
    return state_machine.deploy_state_machine(cloudformation, functions, *_deployed(options), _topic(options))


def allow_recursion(options: argparse.Namespace) -> Lines:
    """Let the lister of a stage send itself messages; after `chalice deploy`."""
    _, app_name, stage = _deployed(options)
    return recursion.allow_recursion(client("lambda"), app_name, stage)


def complete_settings(options: argparse.Namespace) -> Lines:
    """Give API and functions the settings for which Chalice has no key; after `chalice deploy`."""
    apigateway, functions = client("apigateway"), client("lambda")
    throttle = settings.Throttle(options.rate, options.burst)
    return settings.complete_settings(apigateway, functions, options.project, options.stage, throttle, options.tmp)


def make_alarms(options: argparse.Namespace) -> Lines:
    """Make a stage's alarms and dashboard; after `chalice deploy`."""
    return alarms.deploy_alarms(client("cloudformation"), *_deployed(options), _topic(options))


def make_budget(options: argparse.Namespace) -> Lines:
    """Make the account's budget, whose e-mails say when the account costs more than it should."""
    _, app_name, stage = _deployed(options)
    cloudformation = client("cloudformation", budget.REGION)
    return budget.deploy_budget(cloudformation, app_name, stage, options.usd, options.email)


def destroy_stage(options: argparse.Namespace) -> Lines:
    """Delete all of a stage but what holds data, or that, too."""
    resources, *_ = _deployed(options)
    ask = None if options.yes else _asked
    return destroy.destroy(_account(options), resources, options.project, options.data, ask)


COMMANDS: dict[str, Callable[[argparse.Namespace], Lines]] = {
    "policies": write_policies,
    "queues": make_queues,
    "record": write_record,
    "mappings": make_mappings,
    "triggers": make_triggers,
    "front": make_front,
    "recursion": allow_recursion,
    "settings": complete_settings,
    "workflow": make_state_machine,
    "alarms": make_alarms,
    "budget": make_budget,
    "destroy": destroy_stage,
}


def client(service: str, region: str | None = None) -> Any:
    """A boto3 client of the default session."""
    import boto3  # building and checking layers does without

    return boto3.client(service, region_name=region) if region else boto3.client(service)


def _account(options: argparse.Namespace) -> Account:
    _, app_name, stage = _deployed(options)
    return Account(client, app_name, stage)


def _deployed(options: argparse.Namespace) -> tuple[Path, str, str]:
    """resources.json, the app's name and the stage."""
    app_name = read_config(options.project, options.stage)["app_name"]
    return options.project / RESOURCES, app_name, options.stage


def _asked() -> str:
    """What the user types; nothing if nobody is there."""
    try:
        return input()
    except EOFError:
        return ""


def _topic(options: argparse.Namespace) -> dict[str, str]:
    """The parameter of all stacks with alarms, if it is given."""
    topic = options.alarm_topic
    return {} if topic is None else {"AlarmTopicArn": "" if topic == "none" else topic}
