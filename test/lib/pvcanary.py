"""Values that must never be written: they are planted in every container's environment, in logs and in files of secrets, and searched
for, letter by letter, in all that the guards and the suites leave behind."""

import os

ENV = "c4nary-" + "Tq8v2mZ6bRw1"  # in the environment of each container of every suite
KEY = "canary-" + "4f1d9a7c52e84b0fa6d3"  # of a webhook
PASSWORD = "h0rse-7Qbatz4-" + "kL9w"  # in logs
TOKEN = "ghp_" + "Zk4" + "q7Rw2Xn9Bv6Lm1Tc8Yd5Hf3Jg0Ps4Ua7Ee"[:33]
ALL = (ENV, KEY, PASSWORD, TOKEN)


def found(top, values=ALL, but=()):
    """["file: which"] below a folder."""
    out = []
    for where, _, names in os.walk(top):
        for name in names:
            path = os.path.join(where, name)
            if not os.path.isfile(path) or os.path.islink(path) or path in but:
                continue
            with open(path, "rb") as f:
                data = f.read()
            out += [f"{path}: {v[:6]}..." for v in values if v.encode() in data]
    return out
