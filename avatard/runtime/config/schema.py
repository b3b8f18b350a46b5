"""One JSON schema of the whole file, for editors."""

from __future__ import annotations

from typing import Any

from avatard.runtime.config.core import Core
from avatard.runtime.config.loader import DOMAINS
from avatard.runtime.manifest import Manifest, discover, schema_for


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of ``avatard.yaml`` with the options of every installed platform."""
    plugins = discover()
    schema = Core.model_json_schema(ref_template="#/$defs/{model}")
    definitions = schema.setdefault("$defs", {})
    properties = schema["properties"]
    for domain, takes in DOMAINS.items():
        one = _platforms(plugins, domain, definitions)
        properties[domain] = one if takes == "one" else {"anyOf": [one, {"type": "array", "items": one}]}
    render = _platforms(plugins, "render", definitions)
    properties["avatar"] = {
        "type": "object", "additionalProperties": False,
        "properties": {"face": {"type": "string"}, "render": {"type": "array", "items": render}},
    }  # fmt: skip
    for name, manifest in plugins.items():
        if "bridge" in manifest.provides:
            options = schema_for(manifest, "bridge").model_json_schema(ref_template="#/$defs/{model}")
            definitions.update(options.pop("$defs", {}))
            properties[name] = {"anyOf": [options, {"type": "null"}], "description": manifest.summary}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "avatard.yaml", **schema}


def _platforms(plugins: dict[str, Manifest], domain: str, definitions: dict[str, Any]) -> dict[str, Any]:
    names, forms = [], []
    for name, manifest in plugins.items():
        if domain not in manifest.provides:
            continue
        names.append(name)
        options = schema_for(manifest, domain).model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(options.pop("$defs", {}))
        options.setdefault("properties", {})["platform"] = {"const": name, "description": manifest.summary}
        options["required"] = [*options.get("required", []), "platform"]
        forms.append(options)
    return {"anyOf": [{"enum": names}, *forms]}
