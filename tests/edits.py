"""Edits of a record that change what it says: each is made as by someone who writes digests and seal anew.

What tells of an edit is then nothing but the other lines. Every edit is one change of one thing: a value, a field, an
id, the place of a line.
"""

import copy
import json
import random
from fnmatch import fnmatch
from typing import NamedTuple

from tests.stored import body_of, digest_of, line_of, seal_of

READ_THE_SAME = "it reads the same"
ORDER = "an order that means nothing"
ORDERLESS = (
    "cold",
    "fidelity",
    "counts",
    "memory",
    "trial",
    "observation",
    "subject",
    "samples",
    "failure",
    "left out",
)
ORDERLESS += ("left out", "acceptance", "live rates", "agreement", "exact", "banked")
LOOSE = "a trial, behind no verdict"
HARMLESS = {
    "a name or a remark": (
        *(
            "run.run",
            "run.started",
            "run.command",
            "run.source",
            "run.bars",
            "run.choices",
            "run.symbols*",
            "run.environment*",
        ),
        *(
            "run.asked.data",
            "run.asked.budget_s",
            "run.asked.study",
            "run.asked.live",
            "run.asked.ids",
            "run.asked.symbols",
        ),
        *(
            "subject.name",
            "subject.claims.source",
            "subject.claims.reading",
            "subject.claims.text_of",
            "subject.nouns*",
        ),
        *("subject.workloads.stage", "subject.workloads.inputs", "subject.workloads.is_modelled"),
        *("benchmark.setup", "benchmark.check", "benchmark.fresh", "benchmark.clock_by", "benchmark.isolation"),
        *("revisions.base", "revisions.head", "revisions.files*", "revisions.environment", "revisions.patch"),
        *("failure.reason", "failure.kind", "failure.arm", "failure.optimization", "agreement.unknown"),
        *("left out.reason", "left out.needs_s"),
        *("end.seconds", "end.budget_s", "end.longest_s", "end.busy", "end.interrupted"),
    ),
    LOOSE: ("trial.*", "observation.*"),
    "a reading behind no verdict": (
        *("cold.first_call_ns", "cold.compiled", "counts.counts*", "exact.base*", "exact.head*", "exact.moved*"),
        *("exact.uncounted", "exact.unsteady", "memory.readings.*", "samples.*_ns", "samples.seconds"),
        *("fidelity.compared", "fidelity.concerned", "fidelity.saw*", "fidelity.first", "fidelity.largest_error"),
        *("fidelity.damage*", "banked.seconds", "banked.samples.*_ns", "banked.samples.seconds", "banked.condition"),
    ),
    "a reading that the estimates leave out": (
        *("samples.blocks.wall_ns", "samples.blocks.cpu_ns", "samples.blocks.invalid", "samples.*_calls"),
        *("banked.samples.blocks.*", "banked.samples.*_calls"),
    ),
    "a setting that changes no answer": (
        *("run.schema", "run.trace", "run.skip_unchanged", "subject.may_change"),
        *("revisions.tolerances*", "revisions.changed", "revisions.accepted"),
        *("revisions.acknowledged*", "revisions.expired", "revisions.shards*"),
    ),
}
"""Why edits do no harm of which no line tells: what follows from the record is computed anew, and stays as it was.

Each has the places that may be edited so. The seal tells of them all where it is not written anew.
"""


def why_harmless(edit, is_same):
    """The reason for which an edit that no line tells does no harm; None where there is none."""
    if is_same:
        return READ_THE_SAME
    if edit.kind in ("moved", "swapped"):
        return ORDER if edit.tag in ORDERLESS else None
    if edit.kind in ("doubled", "dropped"):
        return LOOSE if edit.tag in ("trial", "observation", "failure") else None
    found = (why for why, places in HARMLESS.items() if any(fnmatch(edit.place, each) for each in places))
    return next(found, None)


class Edit(NamedTuple):
    """What was edited: ``kind`` of edit, ``tag`` and number of the line, ``path`` of the value; and the bodies then."""

    kind: str
    tag: str
    number: int
    path: tuple
    bodies: list

    def __str__(self):
        return f"{self.kind} {self.tag} {'.'.join(map(str, self.path))} (line {self.number + 1})"

    @property
    def place(self):
        """What was edited, without the numbers of items: the kind of line, and the names that lead to the value."""
        return ".".join([self.tag, *(each for each in self.path if isinstance(each, str))])


def leaves_of(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves_of(item, (*path, key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from leaves_of(item, (*path, number))
    else:
        yield path, value


def at(content, path):
    for step in path:
        content = content[step]
    return content


def put(content, path, value):
    """A copy of a line's content with another value at a place."""
    copied = copy.deepcopy(content)
    at(copied, path[:-1])[path[-1]] = value
    return copied


def other_value(value, rng, others):
    """A value that might stand in this place as well."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice([-1, 1, 7]) if value else 1
    if isinstance(value, float):
        return value * rng.choice([0.9, 1.01, 1.5]) if value else 0.5
    if isinstance(value, str):
        return rng.choice(others) if others else f"{value} too"
    return 1 if value is None else None


def scaled(value, rng):
    """The value in another unit."""
    factor = rng.choice([1e-3, 1e3, 60, 1e6])
    grown = value * factor
    return max(1, round(grown)) if isinstance(value, int) else grown


def retyped(value):
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, str):
        return [value]
    return str(value)


IDS = {
    "optimization",
    "arm",
    "workload",
    "claim",
    "id",
    "trial",
    "benchmark",
    "candidate",
    "reference",
    "name",
    "scope",
}


def make_edit(kind, contents, number, rng):
    """One edit of a kind in one line, as (path, contents); None where the line has nothing to edit so."""
    content = contents[number]
    leaves = [leaf for leaf in leaves_of(content) if leaf[0] and leaf[0] != ("type",) and leaf[0] != ("seal",)]
    tag = content["type"]
    alike = [each for each, other in enumerate(contents) if other["type"] == tag and each != number]
    changed = list(contents)
    if kind == "dropped":
        del changed[number]
        return (), changed
    if kind == "doubled":
        return (), [*changed[: number + 1], content, *changed[number + 1 :]]
    if kind == "moved":
        del changed[number]
        changed.insert(rng.randrange(len(contents)), content)
        return (), changed
    if kind == "swapped":
        if not alike:
            return None
        other = rng.choice(alike)
        changed[number], changed[other] = changed[other], content
        return (), changed
    if kind == "renamed":
        path = rng.choice([path for path, _ in leaves])
        place = max(index for index, step in enumerate(path) if isinstance(step, str))
        copied = copy.deepcopy(content)
        of = at(copied, path[:place])
        of[f"{path[place]}_"] = of.pop(path[place])
        changed[number] = copied
        return path[: place + 1], changed
    chosen = {
        "value": leaves,
        "retyped": leaves,
        "scaled": [each for each in leaves if isinstance(each[1], int | float) and not isinstance(each[1], bool)],
        "id": [each for each in leaves if isinstance(each[1], str) and each[0][-1] in IDS],
    }[kind]
    if not chosen:
        return None
    path, value = rng.choice(chosen)
    names = [_find(contents[each], path) for each in alike] if kind == "id" else []
    others = sorted({each for each in names if isinstance(each, str) and each != value})
    new = {"scaled": lambda: scaled(value, rng), "retyped": lambda: retyped(value)}.get(
        kind, lambda: other_value(value, rng, others)
    )()
    changed[number] = put(content, path, new)
    return path, changed


def _find(content, path):
    try:
        return at(content, path)
    except (KeyError, IndexError, TypeError):
        return None


KINDS = ("value", "scaled", "retyped", "renamed", "id", "moved", "swapped", "doubled", "dropped")


def draw_edits(lines, number, seed):
    """So many edits that change a record, drawn so that every kind of line and of edit has its turn."""
    rng = random.Random(seed)
    contents = [json.loads(body_of(each)) for each in lines]
    tags = {}
    for position, content in enumerate(contents):
        tags.setdefault(content["type"], []).append(position)
    turns = [(tag, kind) for kind in KINDS for tag in tags]
    drawn = 0
    while drawn < number:
        for tag, kind in turns:
            chosen = rng.choice(tags[tag])
            made = make_edit(kind, contents, chosen, rng)
            if made is None or made[1] == contents:
                continue
            yield Edit(kind, tag, chosen, made[0], seal_anew([json.dumps(each).encode() for each in made[1]]))
            drawn += 1
            if drawn == number:
                return


def seal_anew(bodies):
    """The bodies with the seal that belongs to them, where a line that ends a record is the last one."""
    return [*bodies[:-1], seal_of(bodies[-1], [digest_of(each) for each in bodies[:-1]])] if bodies else bodies


def file_of(bodies):
    return b"".join(map(line_of, bodies))


HUGE = (b"1" * 400, b"-" + b"9" * 400, b"1e400", b"1" * 5000, b"0." + b"3" * 400, b"18446744073709551616")
STRANGE = (b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b"[]", b"{}", b'""', b"-0.0", b"1E2", b"01", b"'x'")
ESCAPES = (
    "\x1b[2J\x1b]0;title\x07",
    "a\x00b",
    "\r\n\r\n",
    "\u202eevil\u202c",
    "\x9b31m",
    "|`*_<script>",
    "\u2066x",
    "%1$s",
)
ENCODINGS = ("utf-16", "utf-32", "latin-1", "utf-8-sig", "cp037")


def break_value(body, rng):
    """The line's JSON with a value that is huge, no JSON, deep, a control character or of another type."""
    content = json.loads(body)
    path, _ = rng.choice([leaf for leaf in leaves_of(content) if leaf[0]])
    mark = "\x00mark\x00"
    depth = rng.choice([50, 900, 5000])
    raw = rng.choice(
        [
            rng.choice(HUGE),
            rng.choice(STRANGE),
            json.dumps(rng.choice(ESCAPES)).encode(),
            b"[" * depth + b"]" * depth,
            b'"\\ud800"',
            b'"\xff"',
        ]
    )
    return json.dumps(put(content, path, mark)).encode().replace(json.dumps(mark).encode(), raw)


def double_key(body, rng):
    content = json.loads(body)
    key = rng.choice([*content])
    return body[:-1] + b"," + json.dumps({key: rng.choice([content[key], None, 1])}).encode()[1:]


def flip(content, rng):
    at_byte = rng.randrange(len(content))
    return content[:at_byte] + bytes([content[at_byte] ^ (1 << rng.randrange(8))]) + content[at_byte + 1 :]


def recode(content, rng):
    return content.decode().encode(rng.choice(ENCODINGS), "replace")


def break_bytes(content, rng):
    """A whole file with bytes that were lost, added or changed."""
    at_byte = rng.randrange(len(content))
    return rng.choice(
        [
            lambda: flip(content, rng),
            lambda: content[:at_byte],
            lambda: content[at_byte:],
            lambda: content[:at_byte] + rng.randbytes(rng.randrange(1, 40)) + content[at_byte:],
            lambda: content.replace(b"\n", b"\r\n"),
            lambda: content.replace(b"\n", b"\n\n"),
            lambda: recode(content, rng),
            lambda: content + content,
        ]
    )()


def draw_broken_files(lines, number, seed):
    """So many files that are a broken record: half of them of lines that have right digests and a right seal."""
    rng = random.Random(seed)
    bodies = [body_of(each) for each in lines]
    whole = file_of(bodies)
    for turn in range(number):
        if turn % 4 == 0:
            yield break_bytes(whole, rng)
            continue
        position = rng.choice([0, 1, len(bodies) - 1, rng.randrange(len(bodies)), rng.randrange(len(bodies))])
        edit = rng.choice([break_value, break_value, break_value, double_key, flip, recode])
        edited = [edit(body, rng) if at_line == position else body for at_line, body in enumerate(bodies)]
        yield file_of(seal_anew(edited))
