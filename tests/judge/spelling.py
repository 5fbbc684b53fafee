# SPDX-License-Identifier: GPL-3.0-or-later
"""The same document in other words (docs/decisions/0152)."""
from parts import NODES, kind_of, listed

OPTIONS = ("min_available", "when_unavailable", "trickle")


def respelled(rng, document):
    """A copy in which every now and then something is written the other way."""
    made = dict(document)
    made["policies"] = {name: node_of(rng, node) for name, node in document["policies"].items()}
    made["records"] = {name: records_of(rng, records) for name, records in document["records"].items()}
    made["pools"] = {name: pool_of(rng, pool) for name, pool in document["pools"].items()}
    return made


def records_of(rng, records):
    """An entry, or a list of entries in any order."""
    made = [record_of(rng, record) for record in listed(records)]
    rng.shuffle(made)
    return made if len(made) > 1 or rng.random() < 0.1 else made[0]


def record_of(rng, record):
    if "steer" not in record:
        return record
    record = {**record, "steer": node_of(rng, record["steer"])}
    draw = record.get("draw")
    if isinstance(draw, dict) and rng.random() < 0.3:
        del record["draw"]
        record["sticky"] = draw["sticky"]
    if "kind" in record and rng.random() < 0.3:
        record["kind"] = record["kind"].upper()
    return record


def pool_of(rng, pool):
    members = pool["endpoints"]
    if isinstance(members, list) and len(pool) == 1 and rng.random() < 0.5:
        return members
    if isinstance(members, dict) and rng.random() < 0.2:
        return {**pool, "endpoints": [{"endpoint": name, "weight": weight} for name, weight in members.items()]}
    return pool


def node_of(rng, node):
    kind = kind_of(node)
    made, body = dict(node), node[kind]
    if isinstance(node.get("when_unavailable"), dict):
        made["when_unavailable"] = node_of(rng, node["when_unavailable"])
    if kind == "failover":
        made[kind] = [node_of(rng, child) for child in body]
    elif kind in ("weighted", "nearest", "latency"):
        entries = body["among"] if isinstance(body, dict) else body
        entries = [entry_of(rng, entry) for entry in entries]
        made[kind] = {**body, "among": entries} if isinstance(body, dict) else entries
    elif kind in ("geo", "network"):
        made[kind] = {**body, "rules": [entry_of(rng, rule) for rule in body["rules"]]}
        if "default" in body:
            made[kind]["default"] = node_of(rng, body["default"])
    elif kind == "switch":
        positions = {position: node_of(rng, child) for position, child in body["positions"].items()}
        made[kind] = {**body, "positions": positions}
    if kind in ("weighted", "failover") and rng.random() < 0.2:
        made[kind] = {"among": made[kind]}
    if kind not in ("endpoint", "pool", "answer", "use") and isinstance(made[kind], dict) and rng.random() < 0.3:
        made[kind] = {**made[kind], **{key: made.pop(key) for key in OPTIONS if key in made}}
    return made


def entry_of(rng, entry):
    """A rule, or an entry of weighted, nearest and latency: {to: node, ...}, or the node itself."""
    if "to" not in entry:
        return node_of(rng, entry)
    made = {**entry, "to": node_of(rng, entry["to"])}
    beside = set(made) - {"to"}
    if rng.random() < 0.3 and not beside & set(made["to"]) and not beside & set(NODES):
        made.update(made.pop("to"))
    return made
