"""`package`: a CloudFormation template, and beside it everything that it names, proven as packaged."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from layers.build.archive import zip_folder
from layers.build.bytecode import add_bytecode
from layers.build.vendor import MOUNTED_AT
from layers.check.emulated import prove
from layers.contents import open_contents
from layers.deploy.gateway import ORIGIN_VARIABLE
from layers.deploy.layer_set import Layer, layers_for
from layers.deploy.packaged_front import equip_front, for_chalice
from layers.deploy.policies import MODEL_URI, model_readers, write_policies
from layers.deploy.remote_model import with_remote_model
from layers.deploy.resources import RESOURCES, front_at
from layers.deploy.routes import routes_of
from layers.deploy.stages import REST, read_config, variable
from layers.deploy.template import call_through_alias, equip_api, equip_functions, merge_template
from layers.errors import PackageError
from layers.targets import Target

TEMPLATE, FUNCTION_ZIP = "sam.json", "deployment.zip"


def package(target: Target, layers: Path, project: Path, stage: str, out: Path, picture: Path | None) -> Iterator[str]:
    """Fill the folder `out`, yielding a line on each step; raises LayerError and then leaves `out` alone."""
    config = read_config(project, stage)
    chosen, front = layers_for(target, layers, config["app_name"]), front_at(project / RESOURCES, stage)
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        fresh = Path(scratch, "package")
        merge = Path(scratch, "merge.json")
        merged = merge_template(project / RESOURCES, target, chosen, stage)
        merge.write_text(json.dumps(merged if front == REST else for_chalice(merged)), encoding="utf-8")
        yield write_policies(project, stage)
        _chalice_package(project, stage, merge, fresh)
        template = json.loads((fresh / TEMPLATE).read_text(encoding="utf-8"))
        if front == REST:
            template = equip_api(call_through_alias(template), variable(config, stage, ORIGIN_VARIABLE))
        else:
            template = equip_front(template, routes_of(project, stage))
        template = equip_functions(template)
        template = with_remote_model(template, model_readers(project), variable(config, stage, MODEL_URI))
        (fresh / TEMPLATE).write_text(json.dumps(template, indent=2) + "\n", encoding="utf-8")
        yield _compile_function(fresh / FUNCTION_ZIP, target)
        for layer in chosen:
            shutil.copy(layer.path, fresh)
        yield _lint(fresh / TEMPLATE)
        yield from _prove(target, fresh, chosen, picture)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(fresh, out)
    yield f"{out / TEMPLATE}: stage {stage} ({front}), Python {target.python} on {target.arch}, {len(chosen)} layer(s)"


def _chalice_package(project: Path, stage: str, merge: Path, out: Path) -> None:
    options = ["--project-dir", str(project), "package", "--stage", stage, "--merge-template", str(merge), str(out)]
    run = _run_main("chalice.cli", options)
    if run.returncode or not (out / TEMPLATE).is_file():
        reason = _last_line(run.stderr or run.stdout)
        raise PackageError(f"chalice package fails: {reason}; mend .chalice/ or app.py and run the command again")


def _region() -> str:
    """The configured region. Chalice needs one only to name the service principal, so any will do."""
    import botocore.session

    return botocore.session.get_session().get_config_variable("region") or "us-east-1"


def _compile_function(path: Path, target: Target) -> str:
    """Add bytecode and drop caches: Chalice ships sources only, which every cold start would compile."""
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        with open_contents(path) as contents:
            contents.extract(Path(scratch))
        for cache in list(Path(scratch).rglob("__pycache__")):
            shutil.rmtree(cache)
        bytecode = add_bytecode(target.python, Path(scratch), MOUNTED_AT)
        zip_folder(path, Path(scratch))
    return f"{path.name}: {bytecode}"


def _lint(template: Path) -> str:
    options = ["--non-zero-exit-code", "error", "--format", "parseable", "--template", str(template)]
    run = _run_main("cfnlint.runner", options)
    if run.returncode:
        raise PackageError(f"cfn-lint refuses the template: {_last_line(run.stdout or run.stderr)}")
    return f"cfn-lint: no errors, {len(run.stdout.splitlines())} note(s)"


def _prove(target: Target, folder: Path, layers: list[Layer], picture: Path | None) -> tuple[str, ...]:
    with ExitStack() as stack:
        function = stack.enter_context(open_contents(folder / FUNCTION_ZIP))
        opened = [stack.enter_context(open_contents(folder / layer.path.name)) for layer in layers]
        proof = prove(target, function, opened, picture)
    for problem in proof.problems:
        raise PackageError(str(problem))
    return proof.lines


def _run_main(module: str, options: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment, whether or not its command is on PATH."""
    code = f"import sys; from {module} import main; sys.exit(main())"
    environment = {**os.environ, "AWS_DEFAULT_REGION": _region()}
    return subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True, env=environment)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"
