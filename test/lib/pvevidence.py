"""Bundles of evidence, read and judged (doc/evidence.md). Not collected as a test."""

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile

PARTS = ["1-event.json", "2-container.json", "3-processes.json", "4-sockets.json", "7-programs.json", "8-log.txt"]


def sha(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Bundle:
    """One bundle: its manifest, and the archive unpacked in memory."""

    def __init__(self, path):
        self.path = path
        with open(path + "/manifest.json") as f:
            self.manifest = json.load(f)
        raw = subprocess.run(["zstd", "-dcq", path + "/evidence.tar.zst"], stdout=subprocess.PIPE, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(raw)) as t:
            self.files = {m.name: t.extractfile(m).read() for m in t.getmembers()}
        self.missing = {m["what"]: m["why"] for m in self.manifest["missing"]}

    def json(self, name):
        return json.loads(self.files[name])

    def find(self, folder):
        return [self.files[n] for n in sorted(self.files) if n.startswith(folder + "/")]

    def wrong(self):
        """What is not as the manifest says."""
        listed = {f["path"]: f for f in self.manifest["files"]}
        bad = [n for n in set(listed) ^ set(self.files)]
        bad += [n for n, data in self.files.items() if n in listed and
                (listed[n]["sha256"] != hashlib.sha256(data).hexdigest() or listed[n]["size"] != len(data))]
        if list(self.files) != sorted(self.files):
            bad.append("order")
        if sha(self.path + "/evidence.tar.zst") != self.manifest["archive"]["sha256"]:
            bad.append("archive")
        return bad

    def signed(self):
        key = os.path.dirname(self.path) + "/host.pub"
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", self.path + "/manifest.json",
                               "-sigfile", self.path + "/manifest.sig"], stdout=subprocess.DEVNULL).returncode == 0

    def lacks(self, container, path, program, gone=False, ended=False):
        """What should stand in the bundle of a refused `path`, whose bytes were those of `program`, and does neither stand there nor in
        `missing` with why. `gone`: nobody could hold the file any more. `ended`: the container died of it."""
        lack = self.wrong() + ["signature"] * (not self.signed())
        lack += [f"{what}: no reason" for what, why in self.missing.items() if not why]
        names = {"the event": "1-event.json", "the container's identity": "2-container.json", "the container's log": "8-log.txt"}
        lack += [name for name in PARTS if name not in self.files and not any(name == v and k in self.missing for k, v in names.items())]
        if lack:
            return lack
        event, who = (self.json(n) if n in self.files else None for n in PARTS[:2])
        if event and (event["id"] != "exec.dropped" or path not in event["detail"]["what"] or not said(event, "chain")):
            lack.append("event")
        unknown = "the container's name and image" in self.missing
        if who and (who["id"] != container or not who["workload"] or unknown == who.get("image_digest", "").startswith("sha256:")):
            lack.append(f"identity: {who}")
        if not any("first instruction" in why for why in self.missing.values()):
            lack.append("what the kernel ended")
        procs = self.json("3-processes.json")["processes"]
        known = {p["pid"] for p in procs} | {int(w.split()[1].rstrip(":")) for w in self.missing if w.startswith("process ")}
        all_gone = "processes and sockets" in self.missing
        if ended and not procs and not all_gone:  # it may not have been reaped yet
            lack.append("processes")
        if not ended and (all_gone or not any(p["inside"] == 1 and p["command"] for p in procs)):
            lack.append("processes")
        chain = {int(pid) for pid in re.findall(r"\((\d+)\)", said(event, "chain") if event else "")}
        lack += [f"process {pid} of the chain" for pid in chain - known]
        lack += [f"{p['path']}: digest" for p in self.json("7-programs.json")["programs"] if not p["sha256"] and p["path"] not in self.missing]
        taken = [f for f in self.manifest["files"] if f["path"].startswith("5-files/") and path in f["origin"]]
        if gone and any(path in what for what in self.missing):
            return lack
        if [f["sha256"] for f in taken] != [sha(program)] or taken[0]["cut"]:
            lack.append("the dropped file")
        return lack


def said(n, what):
    return next((e["value"] for e in n["detail"]["evidence"] if e["what"] == what), "")


def bundle_of(g, id_, where, seconds=10):
    """The bundle that the first such notice names, once it is whole; and the notice."""
    n = g.wait_notice(id_, where=lambda n: where(n) and said(n, "evidence"), seconds=seconds)
    path = said(n, "evidence") if n else ""
    return (Bundle(path) if path.startswith("/") else None), n
