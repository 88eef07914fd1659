"""Does a record verify as it was written, and does every single edit show with its line?"""

import msgspec
import pytest
import xxhash

from argo_bench.comparison import compare
from argo_bench.harness.record.records import (
    Declaration,
    Declared,
    End,
    Fidelity,
    Foreign,
    Judgement,
    Memory,
    Plan,
    Result,
    Run,
    Samples,
)
from argo_bench.harness.record.store import FILE_NAME, load
from argo_bench.harness.record.verify import verify
from argo_bench.optimizations import lookup
from tests.studies import tiny_run_of

replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def honest(tmp_path_factory, small_universe):
    recorded, _ = tiny_run_of(lookup(["O11"]), small_universe, tmp_path_factory)
    return recorded


def test_an_honest_record_verifies(honest):
    assert verify(honest) == []


def first(recorded, kind, wanted=lambda record: True):
    return next(n for n, record in enumerate(recorded.records) if isinstance(record, kind) and wanted(record))


def faster(samples):
    block = samples.blocks[0]
    wall = (block.wall_ns[0], *(value // 2 for value in block.wall_ns[1:]))
    return replace(samples, blocks=[replace(each, wall_ns=wall) for each in samples.blocks])


OTHER = {"ABBA": "BAAB", "BAAB": "ABBA"}
EDITS = {
    "a sample": (Samples, faster, Result),
    "a block's order": (
        Samples,
        lambda s: replace(s, blocks=[replace(b, order=OTHER[b.order]) for b in s.blocks]),
        Samples,
    ),
    "the calls of a sample": (Samples, lambda s: replace(s, candidate_calls=s.candidate_calls * 2), Result),
    "a seed": (Samples, lambda s: replace(s, seed=s.seed + 1), Samples),
    "an estimate": (Result, lambda r: replace(r, cpu=replace(r.cpu, theta=r.cpu.theta - 0.1)), Result),
    "an interval": (Result, lambda r: replace(r, cpu=replace(r.cpu, high=r.cpu.high + 1e-6)), Result),
    "a level": (Result, lambda r: replace(r, cpu=replace(r.cpu, level=0.5)), Result),
    "a verdict": (
        Judgement,
        lambda j: replace(j, verdict="confirmed" if j.verdict != "confirmed" else "refuted"),
        Judgement,
    ),
    "a claim's text": (Judgement, lambda j: replace(j, text="90 % faster"), Judgement),
    "a claim's range": (Judgement, lambda j: replace(j, low=0.1), Judgement),
    "a speed-up": (Judgement, lambda j: replace(j, speedup=99.0), Judgement),
    "the output": (Judgement, lambda j: replace(j, output="same as ever"), Judgement),
    "a scale's verdict": (
        Judgement,
        lambda j: replace(j, strip=[replace(spot, verdict="exceeded") for spot in j.strip]),
        Judgement,
    ),
    "a claim that is judged": (
        Declaration,
        lambda d: replace(d, claims=[replace(each, low=each.low and each.low / 2) for each in d.claims]),
        Judgement,
    ),
    "a family": (Declaration, lambda d: replace(d, family="another"), Declaration),
    "a family's level": (Plan, lambda p: replace(p, levels=dict.fromkeys(p.levels, 0.9)), Plan),
    "a claim of a family": (
        Plan,
        lambda p: replace(p, families={name: ids[:1] for name, ids in p.families.items()}),
        Plan,
    ),
    "the level of other intervals": (Plan, lambda p: replace(p, level=0.5), Plan),
    "the seeds of counts": (Plan, lambda p: replace(p, seeds=[7]), Plan),
    "the calls to break even": (Judgement, lambda j: replace(j, break_even_calls=12345.0), Judgement),
    "a first call": (Samples, lambda s: replace(s, reference_first_call_ns=s.reference_first_call_ns * 90), Judgement),
    "a count of differences": (Fidelity, lambda f: replace(f, counts={"entry": 3}), Fidelity),
    "the number of replicates": (End, lambda e: replace(e, replicates=e.replicates + 1), End),
    "the seed of the run": (Run, lambda r: replace(r, seed=5), Plan),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_single_edit_with_a_right_digest_is_found_and_its_line_named(name, honest, tmp_path):
    kind, edit, shows_in = EDITS[name]
    number = first(honest, kind)
    records = list(honest.records)
    records[number] = edit(records[number])
    assert records[number] != honest.records[number]
    (tmp_path / FILE_NAME).write_bytes(b"".join(line_of(record) for record in records))
    found = verify(load(tmp_path))
    assert any(isinstance(records[each.line - 1], shows_in) for each in found)
    assert str(found[0]).startswith(f"line {found[0].line}: ")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A comparison of a user's functions, with a claim about memory."""
    directory = tmp_path_factory.mktemp("own")
    names = (f"tests.user_functions:{each}" for each in ("all_at_once", "one_by_one"))
    compare(*names, metric="peak_rss", claim="30-50% reduction", quick=True, budget_s=60.0, out=directory)
    return load(directory)


def heavier(memory):
    return replace(memory, readings=[replace(each, peak_bytes=2 * each.peak_bytes) for each in memory.readings])


OWN_EDITS = {
    "a reading of memory": (Memory, heavier, Judgement),
    "the sentence of a claim": (Declared, lambda d: replace(d, claim="10-20% reduction"), Declared),
    "the name of a function": (Declared, lambda d: replace(d, candidate="tests.user_functions:fast"), Declared),
    "what is judged": (Declaration, lambda d: replace(d, claims=[replace(d.claims[0], low=0.1)]), Judgement),
    "what agreed": (Fidelity, lambda f: replace(f, counts={"output: 1 against 2": 1}), Fidelity),
}


@pytest.mark.parametrize("name", OWN_EDITS)
def test_a_users_comparison_verifies_and_a_single_edit_of_it_does_not(name, own, tmp_path):
    assert verify(own) == []
    kind, edit, shows_in = OWN_EDITS[name]
    number = first(own, kind)
    records = list(own.records)
    records[number] = edit(records[number])
    (tmp_path / FILE_NAME).write_bytes(b"".join(line_of(record) for record in records))
    found = verify(load(tmp_path))
    assert any(isinstance(records[each.line - 1], shows_in) for each in found)


def line_of(record):
    body = bytes(record.content) if isinstance(record, Foreign) else msgspec.json.encode(record)
    return b'{"xxh3":"%s","record":%s}\n' % (xxhash.xxh3_64_hexdigest(body).encode(), body)


@pytest.mark.parametrize("kind", [Result, Judgement, End])
def test_a_line_that_was_taken_out_is_missed(kind, honest, tmp_path):
    records = list(honest.records)
    del records[first(honest, kind)]
    (tmp_path / FILE_NAME).write_bytes(b"".join(line_of(record) for record in records))
    assert verify(load(tmp_path))
