"""Run in a new process: the packaged function answers one API Gateway event, as on Lambda.

python -I -S -B answer_event.py TASK_ROOT OPT EVENT_FILE
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

task_root, opt, event_file = map(Path, sys.argv[1:])
sys.path[:0] = [str(task_root), str(opt / "python")]  # Lambda's order

import app  # noqa: E402

context = SimpleNamespace(invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:benchmark")
answer = app.app(json.loads(event_file.read_text()), context)
assert answer["statusCode"] == 200, answer
print("answered", flush=True)
