"""Finds where two outputs first differ, as one line, or None where they agree.

Values are compared, not their types: 3 agrees with 3.0, a list with a tuple or an array of the same items, NaN with
NaN. Whole numbers are compared exactly, since a row count, an id or a time that is nearly right is wrong. What must be
the same is the kind (a number is no text and no truth value), the class and the fields of a record, and the labels of a
frame; names of indexes and series are not looked at. numpy and pandas are never imported here: while they are not
loaded, no output can be theirs.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import sys
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from enum import Enum
from numbers import Integral, Number, Real
from typing import Any, Literal

from ...errors import UserError

RTOL, ATOL = 1e-5, 1e-8
"""These are numpy.allclose's defaults, of which the first is relative to the expected number."""

SHOWN = 60
"""A line shows at most this number of characters of a value."""

CONTEXT = 12
"""A line shows this number of characters before the first different one of a long text."""

NUMERIC = "biufc"
"""These kinds of numpy's dtypes hold Python's numbers and truth values."""

PLAIN = frozenset({int, float, str, bool, bytes, type(None)})

_repr = reprlib.Repr()
_repr.maxlevel = 2
_repr.maxstring = _repr.maxlong = _repr.maxother = SHOWN


def first_difference(
    expected: Any, got: Any, check: Literal["allclose", "equal"] | Callable[[Any, Any], object]
) -> str | None:
    """Return None where the two agree, otherwise one line with the place and both values.

    ``equal`` compares numbers exactly, ``allclose`` compares whole numbers exactly and others as numpy.allclose does;
    everything else is compared for equality. A
    callable gets both outputs, and they differ where it returns a false value other than None or raises AssertionError.
    Raises UserError for what cannot be compared, such as a generator.
    """
    if callable(check):
        return _compare_by(check, expected, got)
    try:
        return _compare(expected, got, "output", check == "allclose")
    except RecursionError:
        raise UserError(
            "output is nested too deeply to be compared, or contains itself: return plain data, or pass a check of "
            "your own"
        ) from None


def _compare_by(check: Callable[[Any, Any], object], expected: Any, got: Any) -> str | None:
    name = getattr(check, "__name__", type(check).__name__)
    try:
        answer = check(expected, got)
    except AssertionError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"output: {lines[0]}" if lines else f"output: an assertion in {name} fails"
    try:
        agree = answer is None or bool(answer)
    except (TypeError, ValueError):
        raise UserError(
            f"the check {name} returned {_one(answer)}: expected one True or False, as all() makes of many"
        ) from None
    return None if agree else f"output: {name} returned {_show(answer)} for {_show(expected)} against {_show(got)}"


def _compare(expected: Any, got: Any, where: str, close: bool) -> str | None:
    for each in (expected, got):
        _refuse_streams(each, where)
    if expected is got:
        return None
    expected, got = _plain(expected), _plain(got)
    for is_of_kind, compare in KINDS:
        of_kind = is_of_kind(expected), is_of_kind(got)
        if all(of_kind):
            return compare(expected, got, where, close)
        if any(of_kind):
            return _say_types(expected, got, where)
    return _compare_others(expected, got, where)


def _refuse_streams(value: Any, where: str) -> None:
    if isinstance(value, Iterator | AsyncIterator):
        way_out = "return a list"
    elif isinstance(value, Awaitable):
        way_out = "await it and return its result"
    else:
        return
    raise UserError(f"{where} is {_one(value)}, which cannot be compared: {way_out}")


def _plain(value: Any) -> Any:
    """Convert numpy's scalars to Python's, and views and buffers to copies of what they show; return the rest."""
    if _is(value, "numpy", "ndarray") and value.ndim == 0:
        value = value[()]
    if _is(value, "numpy", "generic") and value.dtype.kind in NUMERIC:
        return value.item()
    if _is(value, "pandas.api.extensions", "ExtensionArray"):
        return value.to_numpy()
    match value:
        case bytearray() | memoryview():
            return bytes(value)
        case ItemsView():
            return dict(value)
        case ValuesView():
            return list(value)
    return value


def _is(value: Any, module: str, name: str) -> bool:
    """Do what isinstance does, for a class of a module that may not be loaded."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))


def _find_first(pairs: Iterable[tuple[str, Any, Any]], close: bool) -> str | None:
    """Return the first difference within pairs of values, each given with its place; None where there is none."""
    found = (_compare(left, right, place, close) for place, left, right in pairs)
    return next((line for line in found if line is not None), None)


def _compare_numbers(expected: Any, got: Any, where: str, close: bool) -> str | None:
    if expected == got or (expected != expected and got != got) or (close and _are_close(expected, got)):
        return None
    return _say_values(expected, got, where)


def _are_close(expected: Any, got: Any) -> bool:
    """Say whether two numbers agree within the tolerance; an integer and another whole number have none."""
    if any(isinstance(each, Integral) for each in (expected, got)) and all(map(_is_whole, (expected, got))):
        return False
    try:
        left, right = complex(expected), complex(got)
        return _within(abs(left - right), abs(left))
    except OverflowError:
        return False


def _is_whole(number: Any) -> bool:
    return isinstance(number, Integral) or (isinstance(number, float) and number.is_integer())


def _within(error: float, expected: float) -> bool:
    """Say whether an error is within the tolerance; nothing is close to infinity, which would tolerate anything."""
    return error <= ATOL + RTOL * expected < math.inf


def _compare_texts(expected: Any, got: Any, where: str, close: bool) -> str | None:
    """Compare texts or bytes; of long ones the line shows the part in which they begin to differ."""
    if expected == got:
        return None
    shorter = min(len(expected), len(got))
    unlike = next((place for place in range(shorter) if expected[place] != got[place]), shorter)
    start = max(0, unlike - CONTEXT)
    if start == 0 or max(len(expected), len(got)) <= SHOWN:
        return _say_values(expected, got, where)
    end = start + SHOWN - 2  # leaves room for the quotation marks
    return _say_values(expected[start:end], got[start:end], f"{where}[{start}:]")


def _compare_mappings(expected: Any, got: Any, where: str, close: bool) -> str | None:
    for key in dict.fromkeys([*expected, *got]):
        if key not in got:
            return f"{where}[{_show(key)}]: {_show(expected[key])} against nothing"
        if key not in expected:
            return f"{where}[{_show(key)}]: nothing against {_show(got[key])}"
        if _are_same(expected[key], got[key], close):
            continue
        if line := _compare(expected[key], got[key], f"{where}[{_show(key)}]", close):
            return line
    return None


def _compare_sets(expected: Any, got: Any, where: str, close: bool) -> str | None:
    """Compare sets; where all members without an equal are numbers they are paired by size.

    NaN and the tolerance so hold for sets too.
    """
    missing, further = set(expected) - set(got), set(got) - set(expected)
    if len(missing) == len(further) and all(isinstance(each, Real) for each in missing | further):
        in_order = [sorted(each, key=lambda number: (number != number, number)) for each in (missing, further)]
        if _compare_sequences(in_order[0], in_order[1], where, close) is None:
            return None
    shown = [_show(each) if each else "none" for each in (missing, further)]
    return f"{where}: members {shown[0]} against {shown[1]}"


def _compare_records(expected: Any, got: Any, where: str, close: bool) -> str | None:
    """Compare by class name and fields, so that a class that was loaded twice counts as one."""
    names = _fields(expected)
    if type(expected).__name__ != type(got).__name__:
        return _say_types(expected, got, where)
    if names != _fields(got):
        return f"{where}: fields {', '.join(names)} against {', '.join(_fields(got))}"
    return _find_first(((f"{where}.{name}", getattr(expected, name), getattr(got, name)) for name in names), close)


def _fields(record: Any) -> tuple[str, ...]:
    """Return the names of the compared fields of a dataclass, a msgspec Struct or an exception; else nothing."""
    if isinstance(record, BaseException):
        return ("args",)
    if dataclasses.is_dataclass(record):
        return tuple(each.name for each in dataclasses.fields(record) if each.compare)
    return tuple(getattr(record, "__struct_fields__", ()))


def _compare_sequences(expected: Any, got: Any, where: str, close: bool) -> str | None:
    if _is(expected, "numpy", "ndarray") and _is(got, "numpy", "ndarray"):
        return _compare_arrays(expected, got, where, close)
    expected, got = _as_lists(expected), _as_lists(got)
    if len(expected) != len(got):
        return f"{where}: length {len(expected)} against {len(got)}"
    names = getattr(expected, "_fields", ())
    is_named = names == getattr(got, "_fields", None)
    for number, (left, right) in enumerate(zip(expected, got, strict=True)):
        if _are_same(left, right, close):
            continue
        place = f"{where}.{names[number]}" if is_named else f"{where}[{number}]"
        if line := _compare(left, right, place, close):
            return line
    return None


def _as_lists(items: Any) -> Any:
    """Convert an array of numbers to lists, which are walked several times faster; return anything else as it is."""
    return items.tolist() if _is(items, "numpy", "ndarray") and items.dtype.kind in NUMERIC else items


def _are_same(left: Any, right: Any, close: bool) -> bool:
    """Say quickly that two items agree, for the many that plainly do; False means that they must be looked at."""
    if type(left) is not type(right) or type(left) not in PLAIN:
        return False
    return left == right or (close and type(left) is float and _within(abs(left - right), abs(left)))


def _compare_arrays(expected: Any, got: Any, where: str, close: bool) -> str | None:
    np = sys.modules["numpy"]
    if expected.shape != got.shape:
        if expected.ndim == got.ndim == 1:
            return f"{where}: length {len(expected)} against {len(got)}"
        return f"{where}: shape {expected.shape} against {got.shape}"
    names = expected.dtype.names
    kinds = [_dtype_kind(each.dtype) for each in (expected, got)]
    if names != got.dtype.names or (kinds[0] != kinds[1] and "O" not in kinds):
        return f"{where}: dtype {expected.dtype} against {got.dtype}"
    if _is(expected, "numpy.ma", "MaskedArray") or _is(got, "numpy.ma", "MaskedArray"):
        masks = [np.ma.getmaskarray(each) for each in (expected, got)]
        data = [np.ma.getdata(each) for each in (expected, got)]
        # A masked array's data under its mask has no meaning, so that it must not make a difference.
        data[1] = np.where(masks[0], *data)
        return _compare_arrays(masks[0], masks[1], f"{where}.mask", close) or _compare_arrays(
            data[0], data[1], where, close
        )
    if names:
        return _find_first(((f"{where}[{name!r}]", expected[name], got[name]) for name in names), close)
    if "O" in kinds:
        pairs = zip(np.ndindex(expected.shape), expected.flat, got.flat, strict=True)
        apart = (pair for pair in pairs if not _are_same(pair[1], pair[2], close))
        return _find_first(((_at(where, index), left, right) for index, left, right in apart), close)
    with np.errstate(all="ignore"):
        if close and kinds[0] == "number":
            agree = np.isclose(got, expected, rtol=RTOL, atol=ATOL, equal_nan=True)
            if any(each.dtype.kind in "iu" for each in (expected, got)):
                agree &= (expected == got) | _are_fractions(got) | _are_fractions(expected)
        else:
            agree = (expected == got) | ((expected != expected) & (got != got))
    if agree.all():
        return None
    index = tuple(int(each) for each in np.unravel_index(np.argmin(agree), agree.shape))
    return _say_values(_plain(expected[index]), _plain(got[index]), _at(where, index))


def _are_fractions(numbers: Any) -> Any:
    """Say of each item whether it is no whole number."""
    if numbers.dtype.kind in "iu":
        return False
    return numbers != sys.modules["numpy"].floor(numbers.real)


def _dtype_kind(dtype: Any) -> str:
    return {**dict.fromkeys("iufc", "number"), **dict.fromkeys("UT", "text")}.get(dtype.kind, str(dtype.kind))


def _at(where: str, index: tuple[int, ...]) -> str:
    return f"{where}[{', '.join(map(str, index))}]"


def _compare_frames(expected: Any, got: Any, where: str, close: bool) -> str | None:
    for axis in ("columns", "index"):
        if line := _compare_columns(getattr(expected, axis), getattr(got, axis), f"{where}.{axis}", close):
            return line
    for number, name in enumerate(expected.columns):
        place = f"{where}[{_show(_plain(name))}].iloc"
        if line := _compare_columns(expected.iloc[:, number], got.iloc[:, number], place, close):
            return line
    return None


def _compare_series(expected: Any, got: Any, where: str, close: bool) -> str | None:
    return _compare_columns(expected.index, got.index, f"{where}.index", close) or _compare_columns(
        expected, got, f"{where}.iloc", close
    )


def _compare_columns(expected: Any, got: Any, where: str, close: bool) -> str | None:
    """Compare the values of two series or indexes.

    pandas is asked first, since values of its own dtypes are slow to walk as objects.
    """
    if expected.dtype == got.dtype != object and expected.equals(got):
        return None
    return _compare_arrays(expected.to_numpy(), got.to_numpy(), where, close)


def _compare_others(expected: Any, got: Any, where: str) -> str | None:
    """Compare anything else by its own ==; missing values such as NaT are those that are not equal to themselves."""
    is_one_type = type(expected) is type(got)
    try:
        if bool(expected == got) or (bool(expected != expected) and bool(got != got)):
            return None
    except (TypeError, ValueError):
        if is_one_type:
            raise _incomparable(expected, where, "whose == gives no single answer") from None
    if is_one_type and _is_opaque(expected):
        raise _incomparable(expected, where, "which has no == of its own")
    return _say_values(expected, got, where) if is_one_type else _say_types(expected, got, where)


def _is_opaque(value: Any) -> bool:
    """Say whether a value is equal to itself only, though another could mean the same."""
    equality: Any = type(value).__eq__
    return equality is object.__eq__ and not isinstance(value, Enum) and not callable(value)


def _incomparable(value: Any, where: str, why: str) -> UserError:
    return UserError(f"{where} is {_one(value)}, {why}: return plain data, or pass a check of your own")


def _say_values(expected: Any, got: Any, where: str) -> str:
    return f"{where}: {_show(expected)} against {_show(got)}"


def _say_types(expected: Any, got: Any, where: str) -> str:
    names = [type(each).__qualname__ for each in (expected, got)]
    if names[0] == names[1]:
        names = [f"{type(each).__module__}.{type(each).__qualname__}" for each in (expected, got)]
    return f"{where}: type {names[0]} against {names[1]}"


def _one(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _show(value: Any) -> str:
    return _repr.repr(value).replace("\n", " ")


def _is_number(value: Any) -> bool:
    # numpy counts a timedelta64 among its integers; here it is a duration and no number.
    return isinstance(value, Number) and not _is(value, "numpy", "timedelta64")


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) or _is(value, "numpy", "ndarray")


KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Any, str, bool], str | None]], ...] = (
    (lambda value: isinstance(value, bool), _compare_numbers),
    (_is_number, _compare_numbers),
    (lambda value: isinstance(value, str), _compare_texts),
    (lambda value: isinstance(value, bytes), _compare_texts),
    (lambda value: isinstance(value, Mapping), _compare_mappings),
    (lambda value: isinstance(value, Set), _compare_sets),
    (lambda value: bool(_fields(value)) and not isinstance(value, type), _compare_records),
    (_is_sequence, _compare_sequences),
    (lambda value: _is(value, "pandas", "DataFrame"), _compare_frames),
    (lambda value: _is(value, "pandas", "Series"), _compare_series),
    (lambda value: _is(value, "pandas", "Index"), _compare_columns),
)
"""The first kind of values that fits is taken, in this order; its function compares two values of the kind."""
