"""Resources of CloudFormation that moto 5.2.5 lacks, or makes and never deletes: what wires a function to its callers.

They are no subclasses of moto's, which keeps a list of those for ever.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self
from unittest import mock

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.cloudformation.parsing import get_model_map, get_name_type_map
from moto.sns.models import sns_backends


def patches() -> Iterator[Any]:
    """What to enter while stacks are made."""
    made = {"AWS::Lambda::Permission": Permission, "AWS::Lambda::EventInvokeConfig": EventInvokeConfig}
    known = {**made, "AWS::SNS::Subscription": Subscription}
    yield mock.patch.dict(get_model_map(), known)
    yield mock.patch.dict(get_name_type_map(), dict.fromkeys(known, ""))


class _Made:
    """A resource in a stack: made anew when it changes, as each property of these is part of what it is."""

    def __init__(self, name: str, properties: dict[str, Any], account_id: str, region: str) -> None:
        self.physical_resource_id, self._properties = name, properties
        self._account_id, self._region = account_id, region
        self.make()

    def make(self) -> None:
        """Make it in the account."""
        raise NotImplementedError

    def take_away(self) -> None:
        """Undo what `make` did."""
        raise NotImplementedError

    def is_created(self) -> bool:
        """It is as soon as there is an object."""
        return True

    def delete(self, *_: Any) -> None:
        """What moto calls. With a function that is gone, what belonged to it is gone, too."""
        with suppress(UnknownFunctionException):
            self.take_away()

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Self:
        """What moto calls."""
        return cls(resource_name, cloudformation_json["Properties"], account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(cls, original_resource: Self, cloudformation_json: Any, **_: Any) -> Self:
        """What moto calls."""
        original_resource.take_away()
        before = original_resource
        return cls(before.physical_resource_id, cloudformation_json["Properties"], before._account_id, before._region)

    def _function(self) -> LambdaFunction:
        return get_backend(self._account_id, self._region).get_function(self._properties["FunctionName"])


class Permission(_Made):
    """A statement in a function's own policy."""

    def make(self) -> None:
        """Add the statement."""
        self._statement, _ = self._function().policy.add_statement(raw=json.dumps(self._properties))

    def take_away(self) -> None:
        """Delete it."""
        statements = self._function().policy.statements
        if self._statement in statements:
            statements.remove(self._statement)


class EventInvokeConfig(_Made):
    """How often an asynchronous event is tried, and where it goes then."""

    def make(self) -> None:
        """Set it; a function has at most one."""
        self.take_away()
        backend = get_backend(self._account_id, self._region)
        backend.put_function_event_invoke_config(self._properties["FunctionName"], self._properties)

    def take_away(self) -> None:
        """Forget it."""
        self._function().event_invoke_config = []


class Subscription(_Made):
    """A function that a topic calls."""

    def make(self) -> None:
        """Subscribe."""
        names = self._properties["TopicArn"], self._properties["Endpoint"], self._properties["Protocol"]
        self.physical_resource_id = sns_backends[self._account_id][self._region].subscribe(*names).arn

    def take_away(self) -> None:
        """Unsubscribe."""
        sns_backends[self._account_id][self._region].unsubscribe(self.physical_resource_id)
