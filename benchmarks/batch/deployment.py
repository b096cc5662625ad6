"""Deploys the project into `localaws` for the proof, as into an account, with shorter time-outs."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from localaws.cloud.local_aws import LocalAws
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT, Deployer, Deployment
from localaws.host import interpreters

TIMEOUTS_S = {"worker": 12, "lister": 20}
"""Shorter than deployed, so that messages of killed functions come again sooner. Visibility stays six times as long."""

Say = Callable[[str], None]


def deploy(cloud: LocalAws, say: Say, timeouts_s: Mapping[str, int] = TIMEOUTS_S) -> Deployment:
    """Deploy the stage dev of this source tree, with shorter time-outs."""
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        copied = project.copy(PROJECT, Path(scratch, "project"))
        config = json.loads((copied / ".chalice/config.json").read_text())
        for name, timeout_s in timeouts_s.items():
            config["stages"]["dev"]["lambda_functions"][name]["lambda_timeout"] = timeout_s
        (copied / ".chalice/config.json").write_text(json.dumps(config))
        built = PROJECT / "build"
        if built.is_dir():
            (copied / "build").symlink_to(built)
        deployed = Deployer(cloud, interpreters.preferred(), copied, say=lambda _: None).deploy()
    sqs = cloud.client("sqs")
    for name, function in (("pictures", "worker"), ("listings", "lister")):
        url = sqs.get_queue_url(QueueName=f"slimception-dev-{name}")["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(6 * timeouts_s[function])})
    sqs.close()
    say(f"deployed {', '.join(deployed.functions)}")
    return deployed
