"""A bill of materials beside what is built: CycloneDX 1.6 in JSON, the same bytes for the same build.

It has no time stamp, and its serial number is a hash of its content. Source: the CycloneDX specification 1.6,
"JSON Reference".
"""

import email
import hashlib
import json
import re
import uuid
import zipfile
from collections import Counter
from collections.abc import Sequence
from email.message import Message
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from layers.build.archive import written_aside
from layers.build.slimming import reason_to_leave_out
from layers.contents import Contents

Component = dict[str, Any]
SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
SUFFIX = ".cdx.json"
LEFT_OUT = "slimception:left-out"
"""The property that says why, and how many, of a wheel's files are not in the layer."""
_FILE_OF = {"Little CMS 2": "liblcms2", "OpenJPEG": "libopenjp2", "libjpeg / libjpeg-turbo": "libjpeg"}
"""Where a library's name in Pillow's own bill of materials is not the name of its file."""
_LICENSE = "License :: OSI Approved :: "


def layer_sbom(name: str, wheels: list[Path], tree: Path = Path(), compiled: Sequence[Path] = ()) -> dict[str, Any]:
    """The bill of a layer that was unpacked from these wheels, with the libraries below `tree` compiled for it."""
    libraries = [_file(path.relative_to(tree).as_posix(), path.read_bytes()) for path in compiled]
    return _bom(name, [*map(_wheel, wheels), *libraries])


def function_sbom(function: Contents) -> dict[str, Any]:
    """The bill of the function's zip: the project, and the two files of Chalice with their hashes."""
    chalice = [name for name in function.sizes if name.startswith("chalice/")]
    files = [_file(name, function.read(name)) for name in chalice]
    return _bom("function", [{**_described(distribution("chalice")), "components": files}] if chalice else [])


def write_sbom(path: Path, bom: dict[str, Any]) -> Path:
    """Write it as JSON; returns the path."""
    with written_aside(path) as aside:
        aside.write_text(json.dumps(bom, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def _bom(name: str, components: list[Component]) -> dict[str, Any]:
    root = {"type": "application", "bom-ref": name, "name": f"slimception-{name}"}
    content: dict[str, Any] = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
        "dependencies": [{"ref": name, "dependsOn": [one["bom-ref"] for one in components]}],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    return {**content, "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}"}


def _wheel(path: Path) -> Component:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        kept = [name for name in names if reason_to_leave_out(name) is None]
        reasons = Counter(reason for name in names if (reason := reason_to_leave_out(name)))
        inner = [_file(f"python/{name}", archive.read(name)) for name in kept if ".libs/" in name]
        for name in names:
            if "/sboms/" in name and name.endswith(".json"):
                inner += _stated(json.loads(archive.read(name)), kept)
        component = _package(email.message_from_bytes(archive.read(metadata)))
    return {
        **component,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "properties": [{"name": LEFT_OUT, "value": f"{why}: {count} files"} for why, count in sorted(reasons.items())],
        **({"components": inner} if inner else {}),
    }


def _described(installed: Distribution) -> Component:
    return _package(email.message_from_string(str(installed.read_text("METADATA"))))


def _package(metadata: Message) -> Component:
    """Name, version, package URL and licences of a package's metadata."""
    name, version = re.sub(r"[-_.]+", "-", str(metadata["Name"])).lower(), str(metadata["Version"])
    purl = f"pkg:pypi/{name}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, **_licenses(metadata)}


def _licenses(metadata: Message) -> dict[str, Any]:
    """The licence as SPDX expression, else in the words of the classifiers or of the old field."""
    if expression := metadata["License-Expression"]:
        return {"licenses": [{"expression": str(expression)}]}
    classifiers = [str(line) for line in metadata.get_all("Classifier", [])]
    words = [line.removeprefix(_LICENSE) for line in classifiers if line.startswith(_LICENSE)]
    words = words or [str(metadata["License"])] * bool(metadata["License"])
    return {"licenses": [{"license": {"name": word}} for word in words]} if words else {}


def _file(name: str, data: bytes) -> Component:
    digest = hashlib.sha256(data).hexdigest()
    hashes = [{"alg": "SHA-256", "content": digest}]
    return {"type": "file", "bom-ref": f"{name}#{digest[:16]}", "name": name, "hashes": hashes}


def _stated(bom: dict[str, Any], kept: list[str]) -> list[Component]:
    """The libraries that a wheel's own bill names, without those whose files are left out or not in the wheel."""
    found = []
    for one in bom.get("components", []):
        name = one["name"]
        if name.startswith("PIL."):
            shipped = any(file.startswith(name.replace(".", "/") + ".") for file in kept)
        elif one.get("scope") == "optional":
            stem = _FILE_OF.get(name, name if name.startswith("lib") else f"lib{name}").lower()
            shipped = any(f".libs/{stem}-" in file.lower() for file in kept)
        else:
            shipped = one.get("scope") != "excluded" and not str(one.get("purl", "")).startswith("pkg:pypi/")
        if shipped:
            fields = ("type", "bom-ref", "name", "version", "purl", "licenses")
            found.append({field: one[field] for field in fields if field in one})
    return found
