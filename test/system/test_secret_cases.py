#!/usr/bin/env python3
"""The secret rules against other projects' labelled examples (../shared/cases, not part of this project; skipped where it
is not present). test/data/secret-labels.tsv says which of our rules answer to which label.

A row counts as found when a rule of its label reports it with the right span. Where the row was made from a template
(name = "value" in twenty languages), the span must be exactly the value. Else it must be the credential and not the line:
no white space or quote inside, and no letter, digit or _ left standing before or after it; private keys, passwords and
addresses are what their rules say. A payload counts when every row that holds it is found."""

import collections
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

CASES = os.environ.get("PAVISE_CASES", os.path.join(REPO, "..", "shared", "cases"))
PVMATCH = os.environ.get("PAVISE_MATCH_HELPER", os.path.join(REPO, "build", "meson", "test", "pvmatch"))
LABELS = os.path.join(REPO, "test", "data", "secret-labels.tsv")
RULES = os.environ.get("PAVISE_RULES", os.path.join(REPO, "rules", "secret"))
ORDER = {"info": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}

TEMPLATES = [re.compile(t, re.S) for t in (
    r'^[\w.\-]+Token ?= ?"(?P<v>[^"]+)"$', r"^[\w.\-]+Token ?= ?'(?P<v>[^']+)'$", r'^[\w.\-]+Token ?= ?(?P<v>[^\s"\'`]+)$',
    r'^\{\n    "[\w.\-]+_token": "(?P<v>[^"]+)"\n\}$', r'^\{"config\.ini": "[\w.\-]+_TOKEN=(?P<v>.+)\\nBACKUP_ENABLED=true"\}$',
    r'^<[\w.\-]+Token>\n    (?P<v>[^\n]+)\n</[\w.\-]+Token>$', r'^[\w.\-]+_token: (?P<q>["\']?)(?P<v>.+)(?P=q)$',
    r'^[sS]tring [\w.\-]+Token = "(?P<v>[^"]+)";$', r'^[\w.\-]+Token := (?P<q>["`])(?P<v>.+)(?P=q)$',
    r'^var [\w.\-]+Token (?:string )?= "(?P<v>[^"]+)"$', r'^\$[\w.\-]+Token \.= "(?P<v>[^"]+)"$',
    r'^System\.setProperty\("[\w.\-]+_TOKEN", "(?P<v>[^"]+)"\)$', r'^  "[\w.\-]+Token" => "(?P<v>[^"]+)"$',
    r'^[\w.\-]+_TOKEN [:?]{0,3}= "(?P<v>[^"]+)"$')]


class Label:
    """One line of the mapping: label, whether it names a provider with a documented format, rules, why excluded."""

    def __init__(self, line):
        self.name, documented, rules, self.excluded = (line.rstrip("\n").split("\t") + ["", "", ""])[:4]
        self.documented, self.rules = documented == "yes", set(rules.split(",")) - {""}


def read_labels():
    with open(LABELS) as f:
        labels = [Label(line) for line in f if line.strip() and not line.startswith("#")]
    return {l.name: l for l in labels}


def read_rows():
    path = os.path.join(CASES, "secrets.jsonl")
    if not os.path.exists(path):
        raise Skip("the labelled examples of other projects are not here (../shared/cases/secrets.jsonl)")
    with open(path) as f:
        return [json.loads(line) for line in f]


def scan(texts, depth=3):
    """For each text (bytes) the hits as dictionaries, spans in bytes."""
    frames = b"".join(b"%d\n" % len(t) + t for t in texts)
    p = subprocess.run([PVMATCH, "-d", str(depth), RULES], input=frames, capture_output=True)
    if p.returncode:
        raise RuntimeError(p.stderr.decode())
    out, hits = [], []
    for line in p.stdout.decode().split("\n")[:-1]:
        if not line:
            out.append(hits)
            hits = []
            continue
        rule, severity, generic, start, length, deep, check = line.split("\t")
        hits.append({"rule": rule, "severity": severity, "generic": generic == "1", "start": int(start), "len": int(length),
                     "depth": int(deep), "check": int(check)})
    return out


def template_value(text):
    for t in TEMPLATES:
        m = t.match(text)
        if m:
            return m.group("v").rstrip("'")
    return None


def no_credential(label, value):
    """Why a positive of theirs is none: what their generator made is not what the label says."""
    if label == "jwt" and re.match(r"ey[^J]", value):
        return "its first part does not decode to JSON"
    return None


def no_negative(label, text):
    """Why a negative of theirs is left out: it is a credential in every respect, and only their list says otherwise."""
    if label == "gcp-api-key" and re.fullmatch(r"AIza[\w-]{35}", text):
        return "a well-formed key that happens to be public"
    return None


def span_is_right(text, hit):
    raw = text.encode()
    span = raw[hit["start"]:hit["start"] + hit["len"]]
    value = template_value(text)
    if value is not None:
        return span == value.encode() or re.fullmatch(rb"\w+=" + re.escape(span), value.encode()) is not None
    before, after = raw[hit["start"] - 1:hit["start"]], raw[hit["start"] + hit["len"]:][:1]
    if re.search(rb"-----BEGIN", span) or hit["rule"].startswith(("connection.", "generic.", "hashicorp.terraform-password", "jwt.secret")):
        return True
    if re.search(rb"[\s\"`<>]", span):
        return False
    return not (re.match(rb"\w", before) and re.match(rb"\w", span[:1])) and not (re.match(rb"\w", after) and re.match(rb"\w", span[-1:]))


def found(label, text, hits, generic):
    return any(h["rule"] in label.rules and h["generic"] == generic and span_is_right(text, h) for h in hits)


class Score:
    """What became of the rows of one label."""

    def __init__(self):
        self.payloads = collections.defaultdict(lambda: [0, 0, 0])  # rows, by a provider rule, by any mapped rule
        self.missed = []


def measure(rows, labels):
    scores, hits = collections.defaultdict(Score), scan([r["text"].encode() for r in rows])
    negatives, left_out, by_mapped, by_any = 0, 0, [], []
    for row, found_here in zip(rows, hits):
        label = labels[row["rule"]]
        if not row["expect"]:
            if no_negative(label.name, row["text"]):
                left_out += 1
                continue
            negatives += 1
            if any(h["rule"] in label.rules for h in found_here):
                by_mapped.append((row, found_here))
            if any(ORDER[h["severity"]] >= 2 for h in found_here):
                by_any.append((row, found_here))
            continue
        if no_credential(label.name, template_value(row["text"]) or ""):
            continue
        score = scores[label.name]
        p = score.payloads[template_value(row["text"]) or row["text"]]
        provider = found(label, row["text"], found_here, False)
        p[0] += 1
        p[1] += provider
        p[2] += provider or found(label, row["text"], found_here, True)
        if not provider:
            score.missed.append((row["text"], found_here))
    return scores, (negatives, left_out), by_mapped, by_any


def show(tap, text, hits):
    tap.note(f"  {text[:150]!r} {[(h['rule'], text.encode()[h['start']:h['start'] + h['len']][:40]) for h in hits][:4]}")


def test_labels(tap):
    """Every label is mapped, and every rule that the mapping names exists."""
    rows, labels = read_rows(), read_labels()
    tap.eq(sorted({r["rule"] for r in rows} - set(labels)), [], "every label has its line in secret-labels.tsv")
    known = set()
    for folder, _, files in os.walk(RULES):
        for name in files:
            with open(os.path.join(folder, name)) as f:
                known |= set(re.findall(r"^  - id: (\S+)", f.read(), re.M))
    tap.eq(sorted(r for l in labels.values() for r in l.rules if r not in known), [], "every rule that it names exists")
    tap.ok(len(known) >= 200, f"{len(known)} rules")


def test_positives(tap):
    rows, labels = read_rows(), read_labels()
    scores, _, _, _ = measure(rows, labels)
    verbose = os.environ.get("PAVISE_VERBOSE")
    documented = good = payloads = any_rule = provider = generic_only = 0
    for name, score in sorted(scores.items()):
        label = labels[name]
        if label.excluded:
            continue
        done = sum(p[1] == p[0] for p in score.payloads.values())
        either = sum(p[2] == p[0] for p in score.payloads.values())
        payloads += len(score.payloads)
        provider += done
        any_rule += either
        generic_only += either - done
        if label.documented:
            documented += 1
            good += done == len(score.payloads)
        if done < len(score.payloads):
            tap.note(f"{name}: {done} of {len(score.payloads)} payloads by a provider rule, {either} by any mapped rule"
                     f"{'' if label.documented else ' (no documented format)'}")
            for text, hits in score.missed[:3] if verbose else []:
                show(tap, text, hits)
    excluded = [l for l in labels.values() if l.excluded and l.name in scores]
    tap.note(f"excluded: {len(excluded)} labels, {sum(len(scores[l.name].payloads) for l in excluded)} payloads")
    tap.note(f"payloads: {payloads}; {provider} by a provider rule, {generic_only} more by a generic one")
    tap.ok(good >= 0.95 * documented, f"{good} of {documented} labels with a documented format have all payloads found "
           f"({100 * good / max(documented, 1):.1f} %, at least 95)")
    tap.ok(any_rule >= 0.9 * payloads, f"{any_rule} of {payloads} payloads found by a mapped rule "
           f"({100 * any_rule / max(payloads, 1):.1f} %, at least 90)")


def test_negatives(tap):
    rows, labels = read_rows(), read_labels()
    _, (n, left_out), by_mapped, by_any = measure(rows, labels)
    tap.note(f"{n} negatives, {left_out} more left out: well-formed keys that only a list of public keys could tell")
    for row, hits in by_mapped:
        tap.note(f"raised though {row['rule']} says no:")
        show(tap, row["text"], [h for h in hits if h["rule"] in labels[row["rule"]].rules])
    if os.environ.get("PAVISE_VERBOSE"):
        for row, hits in by_any:
            tap.note(f"medium or above, not for {row['rule']}:")
            show(tap, row["text"], [h for h in hits if ORDER[h["severity"]] >= 2])
    tap.ok(len(by_mapped) <= 0.02 * n, f"{len(by_mapped)} of {n} negatives raised by a rule of their label "
           f"({100 * len(by_mapped) / n:.1f} %, at most 2)")
    tap.ok(len(by_any) <= 0.10 * n, f"{len(by_any)} of {n} negatives raised at medium or above by any rule "
           f"({100 * len(by_any) / n:.1f} %, at most 10)")


if __name__ == "__main__":
    main(test_labels, test_positives, test_negatives)
