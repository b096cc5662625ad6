"""`publish`: the layers go to the account, their ARNs into the stage's configuration, bytecode into `vendor/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from layers.build.vendor import vendor_bytecode
from layers.deploy.layer_set import layers_for
from layers.deploy.layer_store import LayerStore
from layers.deploy.stages import CONFIG, read_config, write_layers
from layers.errors import PublishError
from layers.targets import Target


def publish(target: Target, folder: Path, project: Path, stage: str, bucket: str | None) -> Iterator[str]:
    """Publish what `folder` holds for `target`, yielding a line on each step. Raises LayerError.

    The configuration is written last, at once and only if every layer is there. A run that broke off
    leaves versions that the next run finds and uses.
    """
    app_name = read_config(project, stage)["app_name"]
    layers = layers_for(target, folder, app_name)
    with _aws_errors():
        store = _connect(bucket)
        arns = []
        for layer in layers:
            known = store.find(layer)
            arns.append(known or store.publish(layer))
            yield f"{'already there' if known else 'published'}: {arns[-1]}"
    changed = write_layers(project, stage, arns, target.arch)
    yield f"{CONFIG}, stage {stage}: {'names these layers now' if changed else 'names them already'}"
    yield vendor_bytecode(target, project)


def _connect(bucket: str | None) -> LayerStore:
    import boto3  # only publishing needs it

    return LayerStore(boto3.client("lambda"), boto3.client("s3") if bucket else None, bucket)


@contextmanager
def _aws_errors() -> Iterator[None]:
    """Turn every error of AWS, and of the way to it, into one line."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    again = "nothing was written to .chalice/config.json; run the same command again, it uses what is already made"
    try:
        yield
    except NoCredentialsError as error:
        raise PublishError("no AWS credentials: set AWS_PROFILE, or run `aws configure`") from error
    except NoRegionError as error:
        raise PublishError("no AWS region: set AWS_DEFAULT_REGION, or run `aws configure`") from error
    except ClientError as error:
        details = error.response.get("Error", {})
        message = f"AWS refuses {error.operation_name}: {details.get('Code')}: {details.get('Message')}"
        raise PublishError(f"{' '.join(message.split())}; {again}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise PublishError(f"{' '.join(str(error).split())}; {again}") from error
