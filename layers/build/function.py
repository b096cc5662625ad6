"""The function's own code, as `chalice package` zips it: app.py, chalicelib/, and Chalice's runtime part."""

from importlib.util import find_spec
from pathlib import Path

from layers.contents import Contents, from_files

CHALICE_RUNTIME = ("__init__.py", "app.py")
"""The part of Chalice itself that it puts into the zip. Source: chalice.deploy.packager, `_add_app_files`."""


def function_contents(project: Path) -> Contents:
    """The files that the function's zip would hold, without caches."""
    sources = [project / "app.py", *(project / "chalicelib").rglob("*")]
    files = {p.relative_to(project).as_posix(): p for p in sources if p.is_file() and "__pycache__" not in p.parts}
    spec = find_spec("chalice")
    if spec and spec.origin:
        files.update({f"chalice/{name}": Path(spec.origin).parent / name for name in CHALICE_RUNTIME})
    return from_files("function", files)
