"""Print the packages of a lock list as a CycloneDX document, version 1.6, in JSON.

    python deploy/sbom.py > sbom.json
    python deploy/sbom.py tests/requirements.txt          # the packages for testing

Equal lists give equal bytes. The hashes are those of the files that an installer accepts.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^ ;\\]+)(?: *; *(?P<marker>[^\\]+?))?(?: \\)?")
_HASH = re.compile(r" +--hash=sha256:([0-9a-f]{64})(?: \\)?")
_VIA = re.compile(r" +#(?: via)? +([a-z0-9][a-z0-9.-]*)(?: \(pyproject\.toml\))?")


def components(text: str) -> list[dict[str, Any]]:
    """Read a lock list: each pin with its hashes, its marker, and what needs it. A line of no known form is an error."""
    found: list[dict[str, Any]] = []
    for line in text.splitlines():
        if pin := _PIN.fullmatch(line):
            found.append({**pin.groupdict(), "hashes": [], "via": []})
        elif sha256 := _HASH.fullmatch(line):
            found[-1]["hashes"].append(sha256[1])
        elif via := _VIA.fullmatch(line):
            found[-1]["via"].append(via[1])
        elif found and line.strip() not in {"", "# via"} and not re.fullmatch(r" +# +(?:via )?-.*", line):
            raise ValueError(f"no line of a lock list: {line}")
    return found


def document(pins: list[dict[str, Any]], name: str, version: str) -> dict[str, Any]:
    """Write the CycloneDX document of a program and its pins."""
    refs = {name: f"pkg:pypi/{name}@{version}"} | {pin["name"]: f"pkg:pypi/{pin['name']}@{pin['version']}" for pin in pins}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": refs[name], "name": name, "version": version, "purl": refs[name]}
        },
        "components": [
            {
                "type": "library",
                "bom-ref": refs[pin["name"]],
                "name": pin["name"],
                "version": pin["version"],
                "purl": refs[pin["name"]],
                "properties": [
                    *({"name": "lock:sha256", "value": each} for each in pin["hashes"]),
                    *([{"name": "lock:marker", "value": pin["marker"]}] if pin["marker"] else []),
                ],
            }
            for pin in pins
        ],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(refs[pin["name"]] for pin in pins if needs in pin["via"])}
            for needs, ref in refs.items()
        ],
    }


def main() -> None:
    """Print the document of a lock list."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    source = (ROOT / "sync" / "__init__.py").read_text()
    version = project.get("version") or re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)[0]
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "deploy" / "requirements.txt"
    print(json.dumps(document(components(file.read_text()), project["name"], version), indent=1))


if __name__ == "__main__":
    main()
