"""What SARIF 2.1.0 (OASIS, section 3) demands of the objects that pavise writes, property by property, and the JSON schema itself,
which comes from the package of npm that carries it."""

import hashlib
import json
import os
import re
import subprocess
import tarfile
import tempfile

PACKAGE, INSIDE = "@microsoft/jest-sarif@1.0.0-beta.0", "package/lib/schemas/sarif-2.1.0-rtm.5.json"
DIGEST = "2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8"
VALIDATE = """import json, sys
from jsonschema import Draft4Validator
schema, log = json.load(open(sys.argv[1])), json.load(sys.stdin)
Draft4Validator.check_schema(schema)
for e in list(Draft4Validator(schema).iter_errors(log))[:5]:
    print("/".join(map(str, e.absolute_path)) + ": " + e.message[:200])
"""

URI = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*")  # RFC 3986, a reference

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
               "partialFingerprints": "strings", "baselineState": {"new", "unchanged", "updated", "absent"},
               "suppressions": "suppression[]", "properties": "bag"},
    "suppression": {"kind!": {"inSource", "external"}, "status": {"accepted", "underReview", "rejected"}, "justification": "text"},
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


def schema(folder):
    """Path of the schema, taken once and kept in `folder`; None and why where it cannot be had."""
    at = os.path.join(folder, "sarif-2.1.0-rtm.5.json")
    if not os.path.exists(at):
        with tempfile.TemporaryDirectory() as tmp:
            try:
                p = subprocess.run(["npm", "pack", "--silent", "--ignore-scripts", PACKAGE], cwd=tmp, capture_output=True, text=True, timeout=60)
            except (OSError, subprocess.TimeoutExpired) as e:
                return None, f"npm: {e}"
            if p.returncode:
                return None, f"npm pack {PACKAGE} does not work here: {p.stderr.strip()[-120:]}"
            with tarfile.open(os.path.join(tmp, p.stdout.split()[-1])) as t:
                data = t.extractfile(INSIDE).read()
        os.makedirs(folder, exist_ok=True)
        with open(at + ".new", "wb") as f:
            f.write(data)
        os.rename(at + ".new", at)
    with open(at, "rb") as f:
        if hashlib.sha256(f.read()).hexdigest() != DIGEST:
            return None, f"{at} is not the schema that is expected"
    return at, ""


def invalid(log, at):
    """What the schema refuses, in words; None where python3-jsonschema is not installed."""
    p = subprocess.run(["/usr/bin/python3", "-W", "ignore", "-c", VALIDATE, at], input=json.dumps(log), capture_output=True, text=True, timeout=60)
    if "No module named 'jsonschema'" in p.stderr:
        return None
    return p.stdout.splitlines() if p.returncode == 0 else [p.stderr.strip()[-300:]]
