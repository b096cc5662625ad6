"""What moto's account knows of roles and buckets."""

import json
from collections.abc import Iterator

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends


def policies_of(account_id: str, role: str) -> Iterator[str]:
    """The policies of a role in JSON, inline and managed ones; none for a role that does not exist."""
    try:
        found = iam_backends[account_id]["aws"].get_role(role)
    except NotFoundException:
        return
    for policy in found.policies.values():  # moto's CloudFormation leaves them as it finds them in the template
        yield policy if isinstance(policy, str) else json.dumps(policy)
    for managed in found.managed_policies.values():
        yield next(version.document for version in managed.versions if version.is_default)


def bucket_owner(bucket: str) -> str | None:
    """The account that a bucket belongs to; None for one that does not exist."""
    owner = s3_backends.bucket_accounts.get(bucket)
    return owner[1] if owner else None
