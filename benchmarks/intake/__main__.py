"""Proves that each picture that a trigger names gets exactly one result, on this machine's AWS.

    python -m benchmarks.intake [--pictures 500] [--trigger kinesis] [--seed 1]

Deploys the project into `localaws`, wires a bucket, a topic, a bus, a stream, a table and a schedule as a user does,
and sends the pictures through each: a tenth is delivered twice, a tenth is poison, and functions are killed meanwhile.
Exit code 0 if all checks pass.
"""

import argparse
import sys
import time
from functools import partial

from benchmarks.batch.deployment import TIMEOUTS_S, deploy
from benchmarks.intake.proof import TRIGGERS, Proof, wire
from benchmarks.intake.sources import Sources
from convert.arguments import count
from localaws.cloud.local_aws import LocalAws
from localaws.host.lambda_host import LambdaHost


def main() -> int:
    """Run it once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intake", description=__doc__)
    parser.add_argument("--pictures", type=count, default=500, metavar="N", help="for each trigger (default 500)")
    parser.add_argument("--trigger", choices=TRIGGERS, action="append", help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--instances", type=count, default=8, metavar="N", help="function processes at once")
    options, say = parser.parse_args(), partial(print, flush=True)
    began = time.monotonic()
    with LocalAws(host=LambdaHost(options.instances)) as cloud:
        deploy(cloud, say, {**TIMEOUTS_S, "intake": 12})
        sources = Sources(cloud)
        for line in wire(cloud, sources):
            say(line)
        proof = Proof(cloud, sources, options.pictures, options.seed, say)
        problems = proof.run(options.trigger or TRIGGERS)
        proof.close()
        sources.close()
    print(f"{'failed' if problems else 'all held'}, {time.monotonic() - began:.0f} s in all")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
