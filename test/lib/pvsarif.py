"""What SARIF 2.1.0 (OASIS, section 3 and its JSON schema) demands of the objects that pavise writes. The schema itself is no
part of the machine: its rules about these objects stand here, property by property."""

import re

URI = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*")  # RFC 3986, a reference
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", re.I)

# object: {property: kind}; a ! is required, a [] a list of it. Nothing else may be there (additionalProperties: false),
# but in property bags.
SHAPE = {
    "log": {"$schema": "uri", "version!": "version", "runs!": "run[]"},
    "run": {"tool!": "tool", "automationDetails": "automationDetails", "columnKind": {"utf16CodeUnits", "unicodeCodePoints"}, "results": "result[]",
            "invocations": "invocation[]"},
    "tool": {"driver!": "driver"},
    "driver": {"name!": "text", "version": "text", "semanticVersion": "text", "informationUri": "uri", "rules": "rule[]"},
    "rule": {"id!": "text", "name": "text", "shortDescription": "multiformat", "fullDescription": "multiformat", "help": "multiformat", "helpUri": "uri",
             "properties": "bag"},
    "multiformat": {"text!": "text", "markdown": "text"},
    "automationDetails": {"id": "text"},
    "invocation": {"executionSuccessful!": "bool"},
    "result": {"ruleId": "text", "ruleIndex": "index", "level": {"none", "note", "warning", "error"},
               "kind": {"notApplicable", "pass", "fail", "review", "open", "informational"}, "message!": "message", "locations": "location[]",
               "partialFingerprints": "strings", "baselineState": {"new", "unchanged", "updated", "absent"}, "properties": "bag"},
    "message": {"text!": "message-text"},
    "location": {"physicalLocation": "physical", "logicalLocations": "logical[]"},
    "physical": {"artifactLocation!": "artifact", "region": "region"},
    "artifact": {"uri!": "uri"},
    "region": {"startLine": "line"},
    "logical": {"fullyQualifiedName": "text"},
}


def leaf(kind, v):
    if isinstance(kind, set):
        return isinstance(v, str) and v in kind
    if kind == "message-text":  # 3.11.5, 3.11.6: braces are doubled, brackets that are no link escaped
        return isinstance(v, str) and v != "" and not re.search(r"[{}]", re.sub(r"\{\{|\}\}", "", v)) and not re.search(r"(?<!\\)[\[\]]", v)
    return {"text": lambda: isinstance(v, str), "uri": lambda: isinstance(v, str) and URI.fullmatch(v), "version": lambda: v == "2.1.0",
            "bool": lambda: isinstance(v, bool), "index": lambda: isinstance(v, int) and not isinstance(v, bool) and v >= -1,
            "line": lambda: isinstance(v, int) and not isinstance(v, bool) and v >= 1, "bag": lambda: isinstance(v, dict),
            "strings": lambda: isinstance(v, dict) and all(isinstance(x, str) for x in v.values())}[kind]()


def walk(kind, v, at):
    if isinstance(kind, str) and kind.endswith("[]"):
        if not isinstance(v, list):
            return [f"{at}: no list"]
        return [p for i, x in enumerate(v) for p in walk(kind[:-2], x, f"{at}[{i}]")]
    if not isinstance(kind, str) or kind not in SHAPE:
        return [] if leaf(kind, v) else [f"{at}: {str(v)[:80]!r} is no {kind}"]
    if not isinstance(v, dict):
        return [f"{at}: no object"]
    rows = {k.rstrip("!"): (k.endswith("!"), x) for k, x in SHAPE[kind].items()}
    bad = [f"{at}.{k}: is missing" for k, (must, _) in rows.items() if must and k not in v]
    bad += [f"{at}.{k}: not known" for k in v if k not in rows]
    return bad + [p for k, x in v.items() if k in rows for p in walk(rows[k][1], x, f"{at}.{k}")]


def problems(log):
    """Everything that is wrong with a log, in words."""
    bad = walk("log", log, "$")
    if bad:
        return bad
    for n, run in enumerate(log["runs"]):
        rules = run["tool"]["driver"].get("rules", [])
        ids = [r["id"] for r in rules]
        if len(set(ids)) != len(ids):
            bad.append(f"runs[{n}]: a rule twice")
        bad += [f"rule {r['id']}: security-severity" for r in rules if not re.fullmatch(r"\d+\.\d", r["properties"].get("security-severity", ""))]
        for i, r in enumerate(run.get("results", [])):
            if not (0 <= r["ruleIndex"] < len(rules) and ids[r["ruleIndex"]] == r["ruleId"]):  # 3.27.6
                bad.append(f"results[{i}]: ruleIndex does not name {r['ruleId']}")
            if r.get("kind", "fail") != "fail" and r.get("level", "warning") != "none":  # 3.27.10
                bad.append(f"results[{i}]: kind {r['kind']} with level {r.get('level')}")
    return bad
