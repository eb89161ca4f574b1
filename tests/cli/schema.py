"""
Whether a JSON value is as a JSON Schema says: the part of the standard that docs/status.schema.json uses, and an error
for a keyword beyond it, so that none is taken for checked.
"""
import re

KNOWN = {"$schema", "$id", "$ref", "$defs", "title", "description", "type", "properties", "required",
         "additionalProperties", "items", "enum", "minimum", "pattern", "oneOf"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int}


def is_of(value, name):
    return isinstance(value, TYPES[name]) and not (name == "integer" and isinstance(value, bool))


def errors(value, schema, root=None, path="$"):
    """What is wrong, a list of lines."""
    root = root or schema
    found = []
    unknown = set(schema) - KNOWN
    if unknown:
        raise ValueError(f"the schema uses {unknown}, which this check does not know")
    if "$ref" in schema:
        assert schema["$ref"].startswith("#/")
        part = root
        for step in schema["$ref"][2:].split("/"):
            part = part[step]
        found += errors(value, part, root, path)
    if "oneOf" in schema:
        results = [errors(value, option, root, path) for option in schema["oneOf"]]
        if sum(not result for result in results) != 1:
            found.append(f"{path}: is not one of the alternatives: {results}")
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(is_of(value, name) for name in types):
        return found + [f"{path}: {value!r} is no {types}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is not in {schema['enum']}")
    if "minimum" in schema and isinstance(value, int) and value < schema["minimum"]:
        found.append(f"{path}: {value} is too small")
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [f"{path}.{name}: is missing" for name in schema.get("required", []) if name not in value]
        for name, part in value.items():
            if name in properties:
                found += errors(part, properties[name], root, f"{path}.{name}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{path}.{name}: the schema does not name it")
    if isinstance(value, list) and "items" in schema:
        for i, part in enumerate(value):
            found += errors(part, schema["items"], root, f"{path}[{i}]")
    return found
