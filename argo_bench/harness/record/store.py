"""Reads and writes the record of a run: a file of one JSON line per result, written and flushed the moment it exists.

Every line is ``{"xxh3": digest, "record": {...}}``; the digest guards against accidents. The last line has a seal, a
digest of itself and of all digests before it.
"""

from __future__ import annotations

import gzip
import math
import os
import shlex
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

import msgspec
import xxhash

from argo_bench.errors import UserError
from argo_bench.harness.holding import Hold, Holder, Taken, find_holder
from argo_bench.harness.record.records import (
    CONCLUSIONS,
    LAST_WITHOUT_DECLARATIONS,
    SCHEMA,
    Declaration,
    Declared,
    End,
    Foreign,
    Judgement,
    LeftOut,
    Plan,
    Record,
    Result,
    Run,
    Samples,
)

FILE_NAME = "run.jsonl"
LOCK = f"{FILE_NAME}.lock"
"""A writer holds this file of a folder, which says who it is; it is gone when the writer has ended."""
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Decoding JSON from outside raises one of these where it is broken."""
Kind = TypeVar("Kind")


class _Line(msgspec.Struct, frozen=True):
    xxh3: str
    record: msgspec.Raw


def line_of(record: msgspec.Struct) -> bytes:
    """Return a record as it stands in a file, with its digest."""
    body = encode(record)
    return msgspec.json.encode(_Line(xxhash.xxh3_64_hexdigest(body), msgspec.Raw(body))) + b"\n"


def encode(record: msgspec.Struct) -> bytes:
    """Return a record as JSON, as it is written."""
    return bytes(record.content) if isinstance(record, Foreign) else msgspec.json.encode(record)


def seal(end: End, digests: Iterable[str]) -> End:
    """Return the line that ends a record with its seal: a digest of its own content and of the digests before it."""
    as_read = msgspec.json.decode(encode(msgspec.structs.replace(end, seal="")), type=End)  # 150 is read as 150.0
    body = b" ".join([encode(as_read), *map(str.encode, digests)])
    return msgspec.structs.replace(as_read, seal=xxhash.xxh3_64_hexdigest(body))


def take_folder(directory: Path) -> Hold:
    """Keep a folder, which is made where it is missing, from other writers.

    Raises UserError where another one is at work in it, or where it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return Hold.take(directory / LOCK, command_line())
    except Taken as taken:
        raise UserError(
            f"{directory} is being written by {taken.holder}: wait until that has ended, or use another --out"
        ) from None
    except OSError as error:
        raise _cannot_write(directory, error) from None


def find_writer(directory: Path) -> Holder | None:
    """Return who writes into a folder now; None where nobody does."""
    return find_holder(directory / LOCK)


def _cannot_write(directory: Path, error: OSError) -> UserError:
    return UserError(f"cannot write to {directory} ({error.strerror}): expected a --out directory that can be written")


class Writer:
    """Appends records to ``directory``/run.jsonl, one flushed line each; to a file that exists only with ``resume``.

    It keeps other writers from the folder until it is closed, or the process ends. Raises UserError where another one
    is at work there, and where the folder cannot be written.
    """

    def __init__(self, directory: Path, *, resume: bool = False) -> None:
        self._hold = take_folder(directory)
        self._path = directory / FILE_NAME
        try:
            if self._path.exists() and not resume:
                raise UserError(f"{directory} holds a run already: expected a new or empty --out directory")
            self._file = self._path.open("ab", buffering=0)
        except OSError as error:
            self._hold.release()
            raise _cannot_write(directory, error) from None
        except UserError:
            self._hold.release()
            raise

    def write(self, *records: msgspec.Struct) -> None:
        """Write all records at once, so that an interrupt comes before or after all of them.

        Raises UserError where that is not possible, as on a full disk; the file is then as it was before.
        """
        content = memoryview(b"".join(map(line_of, records)))
        whole = os.fstat(self._file.fileno()).st_size
        try:
            while content:
                content = content[self._file.write(content) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(whole)
            raise UserError(
                f"cannot write to {self._path} ({error.strerror}): what was measured before is in it; make room, and "
                f"go on with argo-bench run --resume {self._path.parent}"
            ) from error

    @property
    def has_more_than_header(self) -> bool:
        return self._path.read_bytes().count(b"\n") > 1

    def write_end(self, end: End) -> None:
        """Write the line that ends the record, with the seal of what is in the file."""
        lines = self._path.read_bytes().splitlines()
        self.write(seal(end, (msgspec.json.decode(line, type=_Line).xxh3 for line in lines)))

    def close(self) -> None:
        """Let the folder go; a file into which nothing was written is removed."""
        is_empty = not os.fstat(self._file.fileno()).st_size
        self._file.close()
        if is_empty:  # or removed already
            self._path.unlink(missing_ok=True)
        self._hold.release()


class Recorded:
    """Holds a run that ``load`` has read back, with its records in the order in which they were written.

    ``digests`` are those of the lines, and ``bodies`` what stands in them; without them they are computed. A run that
    was reopened took ``earlier_s`` seconds before.
    """

    earlier_s: float | None = 0.0

    def __init__(
        self,
        directory: Path,
        records: Sequence[msgspec.Struct],
        digests: Sequence[str] = (),
        bodies: Sequence[bytes] = (),
    ) -> None:
        self.directory = directory
        self.records = tuple(records)
        self.digests = tuple(digests)
        self.bodies = tuple(bodies)
        self._of_kind: dict[type, list[Any]] = {}
        self.run = self.all(Run)[0]

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Return the records of a kind, in order; lines that the harness does not know are read as that kind."""
        if kind not in self._of_kind:
            read = partial(read_as, kind)
            is_known = tag_of(kind) in KNOWN
            self._of_kind[kind] = [
                each for each in (self.records if is_known else map(read, self.records)) if isinstance(each, kind)
            ]
        return [*self._of_kind[kind]]

    def lines(self) -> Iterator[tuple[int, msgspec.Struct]]:
        """Return every record with its number in the file."""
        return enumerate(self.records, 1)

    def is_seal_right(self, end: End) -> bool:
        """Say whether the record's last line has the seal of the lines as they are."""
        digests = self.digests or [xxhash.xxh3_64_hexdigest(encode(each)) for each in self.records]
        return seal(end, digests[:-1]) == end

    @cached_property
    def declarations(self) -> list[Declaration]:
        """Return what is judged of every subject, in order.

        It is read from the record, or, for schemas 1 and 2, from the catalogue of their time.
        """
        if self.run.schema <= LAST_WITHOUT_DECLARATIONS:
            from argo_bench.harness.record.past import past_declarations

            return past_declarations(self)
        return list({each.id: each for each in self.all(Declaration)}.values())

    @cached_property
    def plan(self) -> Plan:
        """Return what the run set out to do, and at which levels it judges.

        Raises UserError where the record does not have exactly one plan.
        """
        if self.run.schema <= LAST_WITHOUT_DECLARATIONS:
            from argo_bench.harness.record.past import past_plan

            return past_plan(self)
        plans = self.all(Plan)
        if len(plans) != 1:
            raise UserError(
                f"{self.directory} has {len(plans)} plans: expected one, as every run of schema {SCHEMA} has"
            )
        return plans[0]

    @cached_property
    def declarations_by_id(self) -> Mapping[str, Declaration]:
        """Return every declaration by id; records of schemas 1 and 2 know the whole catalogue of their time."""
        if self.run.schema <= LAST_WITHOUT_DECLARATIONS:
            from argo_bench.harness.record.past import past_catalogue

            return past_catalogue() | {each.id: each for each in self.declarations}
        return {each.id: each for each in self.declarations}

    def name_of(self, subject: str) -> str:
        """Return the name of an optimization by its id; empty for a user's functions and for unknown ids."""
        known = self.declarations_by_id.get(subject)
        return "" if known is None or known.functions else known.name

    @property
    def subjects(self) -> list[str]:
        """Return the ids of the optimizations that were asked for, and of all else that was judged."""
        return list(dict.fromkeys([*self.run.optimizations, *(each.optimization for each in self.all(Judgement))]))

    def of(self, optimization: str) -> Recorded:
        """Return the part of the record about one optimization (or benchmark), and about the run as a whole."""
        return Recorded(self.directory, [each for each in self.records if subject_of(each) in (None, optimization)])


def read_as(kind: type[Kind], record: msgspec.Struct) -> Kind | None:
    """Return the record as one of a kind, or None where it is of another.

    Of what the harness does not know, the tag tells the kind. Raises UserError for a line that has the tag and cannot
    be read.
    """
    if isinstance(record, kind):
        return record
    if not isinstance(record, Foreign) or record.tag != tag_of(kind):
        return None
    try:
        return msgspec.json.decode(record.content, type=kind)
    except UNREADABLE as error:
        raise UserError(
            f"a line of kind {record.tag!r} cannot be read: {error}; take the file from where it was kept"
        ) from None


def tag_of(kind: type[Any]) -> object:
    """Return the tag of a kind of record."""
    config = getattr(kind, "__struct_config__", None)
    return None if config is None else config.tag


def subject_of(record: msgspec.Struct) -> str | None:
    """Return the optimization (or benchmark) that a line is about, None where it is about the run as a whole."""
    match record:
        case Samples(comparison=comparison) | Result(comparison=comparison) | LeftOut(comparison=comparison):
            return comparison.optimization
        case Declared(name=name):
            return name
        case Declaration(id=id):
            return id
        case Foreign(content=content):
            return msgspec.json.decode(content).get("optimization")  # type: ignore[no-any-return]
        case _:
            return getattr(record, "optimization", None)


def load(path: str | Path) -> Recorded:
    """Read the run in a directory, or in a run.jsonl file, gzipped or not.

    Raises UserError, naming the line, for a missing, empty, truncated or foreign file and for a newer schema.
    """
    path = Path(path)
    file = _file_of(path) if path.is_dir() else path
    if not file.exists():
        raise UserError(f"no run at {path}: expected a directory with a {FILE_NAME}, or such a file")
    lines = list(_read_lines(file))
    if not lines or not isinstance(lines[0].record, Run):
        raise UserError(f"{file} is empty or does not begin with a run: expected a record written by argo-bench run")
    records, digests, bodies = zip(*lines, strict=True)
    return Recorded(file.parent, records, digests, bodies)


def reopen(directory: Path) -> Recorded:
    """Return a run that can be appended to, after taking its conclusions and a line that was cut off out of the file.

    Nothing measured is lost: conclusions follow from the samples. Raises UserError as ``load`` does, for a packed run,
    and where another process writes into the folder.
    """
    file = directory / FILE_NAME
    if not file.exists():
        raise UserError(f"no run to resume at {directory}: expected a directory with a {FILE_NAME}")
    hold = take_folder(directory)
    try:
        earlier_s = _take_out_conclusions(file)
    except OSError as error:
        raise _cannot_write(directory, error) from None
    finally:
        hold.release()
    reopened = load(file)
    reopened.earlier_s = earlier_s
    return reopened


def _take_out_conclusions(file: Path) -> float | None:
    """Take the conclusions out of a record, and return the seconds of all its parts, None where they are not known."""
    whole = file.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    unfinished = file.with_suffix(".unfinished")
    try:
        unfinished.write_bytes(kept)
        records = load(unfinished).records
        lines = kept.splitlines(keepends=True)
        measured = [line for line, record in zip(lines, records, strict=True) if not isinstance(record, CONCLUSIONS)]
        unfinished.write_bytes(b"".join(measured))
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    totals = [None if each.earlier_s is msgspec.UNSET else each.total_s for each in records if isinstance(each, End)]
    return None if None in totals else math.fsum(filter(None, totals))


def _file_of(directory: Path) -> Path:
    packed = directory / f"{FILE_NAME}.gz"
    return packed if packed.exists() else directory / FILE_NAME


class _Read(NamedTuple):
    record: msgspec.Struct
    digest: str
    body: bytes


def _read_lines(file: Path) -> Iterator[_Read]:
    for number, line in enumerate(_read_content(file).splitlines(), 1):
        try:
            wrapped = msgspec.json.decode(line, type=_Line)
        except UNREADABLE:
            raise UserError(
                f"{file}, line {number}: expected a line of a run, got {line[:40]!r}; the file is cut off or foreign"
            ) from None
        body = bytes(wrapped.record)
        if xxhash.xxh3_64_hexdigest(body) != wrapped.xxh3:
            raise UserError(f"{file}, line {number}: its content does not match its digest; it was changed by accident")
        if number == 1:
            _check_schema(file, body)
        try:
            record = decode_record(wrapped.record, is_first=number == 1)
        except UNREADABLE as error:
            raise UserError(
                f"{file}, line {number} is broken: {error}; take the file from where it was kept, or measure again"
            ) from None
        yield _Read(record, wrapped.xxh3, body)


def _read_content(file: Path) -> bytes:
    """Return what is in a file, unpacked; of one that is being written, the lines that are whole."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file} ({error.strerror}): expected a file that can be read") from None
    if not content.endswith(b"\n") and find_writer(file.parent) is not None:
        content = content[: content.rfind(b"\n") + 1]
    try:
        return gzip.decompress(content) if file.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file} cannot be unpacked ({error}): expected a whole gzip file") from None


def decode_record(content: msgspec.Raw, *, is_first: bool) -> msgspec.Struct:
    """Return a line's record; one of a kind that the harness does not know is kept as it is.

    Raises MsgspecError for a record that is not of its kind.
    """
    try:
        record: msgspec.Struct = msgspec.json.decode(content, type=Record)
    except msgspec.ValidationError:
        tag = msgspec.json.decode(content, type=_Tagged).type
        if is_first or tag in KNOWN:
            raise
        msgspec.json.decode(content)  # all of it is JSON
        record = Foreign(tag, content)
    return record


KNOWN = {tag_of(kind) for kind in get_args(Record)}
"""These are the tags of the kinds that the harness knows."""


class _Tagged(msgspec.Struct):
    type: str


class _Schema(msgspec.Struct):
    schema: int


def _check_schema(file: Path, record: bytes) -> None:
    try:
        schema = msgspec.json.decode(record, type=_Schema).schema
    except UNREADABLE:
        return  # what is wrong with the line is said where it is read
    if schema > SCHEMA:
        raise UserError(f"{file} has schema {schema}, this version reads up to {SCHEMA}: update argo-bench to read it")


def command_line() -> str:
    """Return the command as it can be typed again, without the path of the program."""
    return shlex.join(["argo-bench", *sys.argv[1:]])
