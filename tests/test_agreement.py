"""Are two outputs called the same exactly when they are, and is the first difference named with its place?"""

import collections
import datetime
import enum
import itertools
import math
import subprocess
import sys
from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from argo_bench.errors import UserError
from argo_bench.harness.workers.agreement import first_difference


class Point(NamedTuple):
    x: float
    y: float


@dataclass
class Bar:
    close: float
    tags: list
    took: float = field(default=0.0, compare=False)


@dataclass(eq=False)
class Block:
    values: np.ndarray


class Tick(msgspec.Struct):
    price: float


class Side(enum.Enum):
    BUY = 1
    SELL = 2


class Silent:
    pass


class Vague:
    def __eq__(self, other):
        return np.array([True, False])

    __hash__ = None


def frame(**columns):
    return pd.DataFrame(columns, index=pd.date_range("2024-01-01", periods=2))


NAN = math.nan
ALIKE = [
    (3, 3.0),
    (True, np.bool_(True)),
    (1.5, np.float32(1.5)),
    (0.5, Fraction(1, 2)),
    (0.5, Decimal("0.5")),
    (NAN, np.float64("nan")),
    (math.inf, np.inf),
    (complex(NAN, 1), complex(NAN, 1)),
    (10**400, 10**400),
    (np.array(3.0), 3),
    ("text", np.str_("text")),
    (b"text", bytearray(b"text")),
    (None, None),
    ([1, 2.0], (1, 2)),
    ([1.0, NAN], np.array([1.0, NAN])),
    ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
    (collections.deque([1, 2]), range(1, 3)),
    ([], ()),
    ({"a": [1, {"b": NAN}]}, {"a": [1, {"b": NAN}]}),
    ({"a": 1, "b": 2}, collections.OrderedDict(b=2, a=1)),
    ({"a": 1}.values(), [1]),
    ({"a": [1]}.items(), {"a": [1]}),
    ({1, 2}, frozenset([2, 1])),
    ({1.0, NAN}, {float("nan"), 1}),
    (Point(1, NAN), Point(1.0, NAN)),
    (Point(1, 2), (1, 2)),
    (Bar(1, [NAN], took=1.0), Bar(1.0, [NAN], took=2.0)),
    (Block(np.array([1, NAN])), Block(np.array([1, NAN]))),
    (Tick(NAN), Tick(NAN)),
    (ValueError("no", 1), ValueError("no", 1)),
    (Side.BUY, Side.BUY),
    (datetime.datetime(2024, 1, 1), pd.Timestamp("2024-01-01")),
    (np.datetime64("NaT"), np.datetime64("NaT")),
    (np.timedelta64(60, "s"), np.timedelta64(1, "m")),
    (pd.NA, pd.NA),
    (np.array([1, 2], "int32"), np.array([1.0, 2.0])),
    (np.array(["a", "b"]), np.array(["a", "b"], dtype=object)),
    (np.array(["2024-01-01", "NaT"], "M8[D]"), np.array(["2024-01-01", "NaT"], "M8[ns]")),
    (np.array([None, NAN, "a"], dtype=object), np.array([None, NAN, "a"], dtype=object)),
    (np.array([(1, NAN)], dtype=[("a", "i4"), ("b", "f8")]), np.array([(1, NAN)], dtype=[("a", "i8"), ("b", "f4")])),
    (np.ma.array([1.0, 7.0], mask=[False, True]), np.ma.array([1.0, 8.0], mask=[False, True])),
    (np.empty((0, 3)), np.empty((0, 3))),
    (pd.Series([1, 2], name="a"), pd.Series([1.0, 2.0], name="b")),
    (pd.Series(["a", None]), pd.Series(["a", None])),
    (pd.Series([1, pd.NA], dtype="Int64"), pd.Series([1, pd.NA], dtype="Int64")),
    (pd.Series(["x", "y"], dtype="category"), pd.Series(["x", "y"])),
    (pd.Categorical(["x"]), ["x"]),
    (frame(a=[1, 2], b=["x", "y"]), frame(a=[1.0, 2.0], b=["x", "y"])),
    (pd.MultiIndex.from_tuples([(1, "a")]), pd.MultiIndex.from_tuples([(1.0, "a")])),
]


@pytest.mark.parametrize("check", ["equal", "allclose"])
@pytest.mark.parametrize(("expected", "got"), ALIKE, ids=map(str, range(len(ALIKE))))
def test_outputs_that_mean_the_same_agree_both_ways(expected, got, check):
    assert first_difference(expected, got, check) is None
    assert first_difference(got, expected, check) is None


UNLIKE = [
    (1.5, 1.6, "output: 1.5 against 1.6"),
    (3, "3", "output: type int against str"),
    (True, 1, "output: type bool against int"),
    (1, None, "output: type int against NoneType"),
    (NAN, 1.0, "output: nan against 1.0"),
    (math.inf, 1e300, "output: inf against 1e+300"),
    (1.0, -math.inf, "output: 1.0 against -inf"),
    (10**400, 1, f"output: 1{'0' * 27}...{'0' * 29} against 1"),
    (np.float64(1.5), np.float32(2.5), "output: 1.5 against 2.5"),
    ("text", "test", "output: 'text' against 'test'"),
    ("text", b"text", "output: type str against bytes"),
    ("a\nb", "a\nc", r"output: 'a\nb' against 'a\nc'"),
    ("x" * 500 + "one", "x" * 500 + "two", "output[488:]: 'xxxxxxxxxxxxone' against 'xxxxxxxxxxxxtwo'"),
    ([1, 2, 3], [1, 2, 3, 4], "output: length 3 against 4"),
    ([1, [2, 3]], [1, [2, 4]], "output[1][1]: 3 against 4"),
    ([1], "1", "output: type list against str"),
    ({"sma": [1, 2, 3, 1.5]}, {"sma": [1, 2, 3, 1.6]}, "output['sma'][3]: 1.5 against 1.6"),
    ({"a": 1, "b": 2}, {"b": 3}, "output['a']: 1 against nothing"),
    ({"a": 1}, {"a": 1, "b": 2}, "output['b']: nothing against 2"),
    ({"a": 1}, [("a", 1)], "output: type dict against list"),
    ({1, 2, 3}, {1, 2, 4}, "output: members {3} against {4}"),
    ({1, 2}, {1}, "output: members {2} against none"),
    ({"a"}, {NAN}, "output: members {'a'} against {nan}"),
    (Point(1, 2), Point(1, 3), "output.y: 2 against 3"),
    (Point(1, 2), (1, 3), "output[1]: 2 against 3"),
    (Bar(1, ["a"]), Bar(1, ["b"]), "output.tags[0]: 'a' against 'b'"),
    (Bar(1, []), Tick(1), "output: type Bar against Tick"),
    (Tick(1.0), Tick(2.0), "output.price: 1.0 against 2.0"),
    (ValueError("no"), ValueError("yes"), "output.args[0]: 'no' against 'yes'"),
    (ValueError("no"), TypeError("no"), "output: type ValueError against TypeError"),
    (Side.BUY, Side.SELL, "output: <Side.BUY: 1> against <Side.SELL: 2>"),
    (int, str, "output: <class 'int'> against <class 'str'>"),
    (pd.NA, 1, "output: type NAType against int"),
    (pd.NA, pd.NaT, "output: type NAType against NaTType"),
    (np.timedelta64(60, "s"), 60, "output: type timedelta64 against int"),
    (np.array([1, 2]), np.array([1, 2, 3]), "output: length 2 against 3"),
    (np.zeros((2, 3)), np.zeros((3, 2)), "output: shape (2, 3) against (3, 2)"),
    (np.zeros((2, 3)), np.zeros(6), "output: shape (2, 3) against (6,)"),
    (np.eye(2), np.array([[1, 0], [0.5, 1]]), "output[1, 0]: 0.0 against 0.5"),
    (np.array([1, NAN]), np.array([1, 2.0]), "output[1]: nan against 2.0"),
    (np.array([True]), np.array([1]), "output: dtype bool against int64"),
    (np.array([1.0]), np.array(["1"]), "output: dtype float64 against <U1"),
    (np.array([1.5]), [1.6], "output[0]: 1.5 against 1.6"),
    (np.array([1, "a"], dtype=object), np.array([1, "b"], dtype=object), "output[1]: 'a' against 'b'"),
    (
        np.array([[1, {"k": 1}]], dtype=object),
        np.array([[1, {"k": 2}]], dtype=object),
        "output[0, 1]['k']: 1 against 2",
    ),
    (np.array([(1, 2)], dtype="i4,f8"), np.array([(1, 3)], dtype="i4,f8"), "output['f1'][0]: 2.0 against 3.0"),
    (
        np.ma.array([1, 2], mask=[False, True]),
        np.ma.array([1, 2], mask=[False, False]),
        "output.mask[1]: True against False",
    ),
    (np.ma.array([1, 2], mask=[False, True]), np.array([1, 2]), "output.mask[1]: True against False"),
    (pd.Series([1, 2]), pd.Series([1, 3]), "output.iloc[1]: 2 against 3"),
    (pd.Series([1, 2]), pd.Series([1, 2], index=[0, 2]), "output.index[1]: 1 against 2"),
    (pd.Series([1, 2]), np.array([1, 2]), "output: type Series against ndarray"),
    (pd.Series([1, 2]), pd.Series([1, 2, 3]), "output.index: length 2 against 3"),
    (frame(a=[1, 2]), frame(b=[1, 2]), "output.columns[0]: 'a' against 'b'"),
    (frame(a=[1, 2]), frame(a=[1, 2], b=[1, 2]), "output.columns: length 1 against 2"),
    (frame(a=[1, 2], b=[1, 2]), frame(a=[1, 2], b=[1, 3]), "output['b'].iloc[1]: 2 against 3"),
    (frame(a=[1, 2]), frame(a=["1", "2"]), "output['a'].iloc[0]: type int against str"),
    (frame(a=[1, 2]), frame(a=[1, 2]).reset_index(drop=True), "output.index: dtype datetime64[us] against int64"),
    ([frame(a=[1, 2])], [frame(a=[1, 2])["a"]], "output[0]: type DataFrame against Series"),
    (pd.Index(["a"]), pd.Index(["b"]), "output[0]: 'a' against 'b'"),
]


@pytest.mark.parametrize("check", ["equal", "allclose"])
@pytest.mark.parametrize(("expected", "got", "line"), UNLIKE, ids=map(str, range(len(UNLIKE))))
def test_the_first_difference_is_named_with_its_place_and_both_values(expected, got, line, check):
    assert first_difference(expected, got, check) == line


ALMOST = [
    (1.0, 1.0 + 1e-6),
    (0.1, np.float32(0.1)),
    (1 + 1j, 1 + 1.000001j),
    (100_000.0, 100_001.0),
    (3, 3.000001),
    (np.array([3]), np.array([3.000001])),
    ([0.1], np.array([0.1], "float32")),
    ({"a": (1.0, 2.0)}, {"a": (1.0, 2.000001)}),
    ({0.1, 5.0}, {0.1 + 1e-9, 5.0}),
    ({5.0, NAN, 0.1, 3.0, 1.0}, {0.1 + 1e-9, 3 + 1e-9, 1 + 1e-9, 5 + 1e-9, float("nan")}),
    (Bar(1.0, []), Bar(1.000001, [])),
    (np.array([1.0, NAN]), np.array([1.000001, NAN])),
    (np.array([0.1]), np.array([0.1], "float32")),
    (np.array([1.0], dtype=object), np.array([1.000001])),
    (pd.Series([1.0]), pd.Series([1.000001])),
    (frame(a=[1.0, 2.0]), frame(a=[1.0, 2.000001])),
]


@pytest.mark.parametrize(("expected", "got"), ALMOST, ids=map(str, range(len(ALMOST))))
def test_numbers_that_are_close_agree_under_allclose_alone(expected, got):
    assert first_difference(expected, got, "allclose") is None
    assert " against " in first_difference(expected, got, "equal")


NEARLY = [
    (1_700_000_001, 1_700_000_002),
    (1_000_000, 999_991.0),
    ({"rows": 1_000_000, "last": 1_735_689_600}, {"rows": 999_991, "last": 1_735_686_000}),
    ([1_000_000], (1_000_001,)),
    ({1_000_000}, {1_000_001}),
    (np.array([1_000_000, 5]), np.array([1_000_001, 5])),
    (np.array([1_000_000, 5]), np.array([1_000_001.0, 5.0])),
    (np.array([2**60]), np.array([2**60 + 1])),
    (pd.Series([1_000_000]), pd.Series([1_000_001])),
    (frame(a=[1_000_000]), frame(a=[1_000_001])),
]


@pytest.mark.parametrize(("expected", "got"), NEARLY, ids=map(str, range(len(NEARLY))))
def test_whole_numbers_that_are_nearly_right_are_wrong(expected, got):
    assert " against " in first_difference(expected, got, "allclose")
    assert " against " in first_difference(got, expected, "allclose")


SAME_NUMBERS = [(3, 3.0), (np.array([1, 2]), np.array([1.0, 2.0])), (True, True), ([7], np.array([7], "int8"))]


@pytest.mark.parametrize(("expected", "got"), SAME_NUMBERS, ids=map(str, range(len(SAME_NUMBERS))))
def test_an_integer_agrees_with_a_float_of_its_value(expected, got):
    assert first_difference(expected, got, "allclose") is None


@pytest.mark.parametrize("wrap", [float, lambda number: [number], lambda number: np.array([number])])
def test_the_tolerance_is_relative_to_the_expected_number(wrap):
    # The difference, 1.000005, is more than a hundred-thousandth of the smaller number and less than one of the larger.
    smaller, larger = 100_000.0, 100_001.000005
    assert first_difference(wrap(larger), wrap(smaller), "allclose") is None
    assert first_difference(wrap(smaller), wrap(larger), "allclose") is not None


NUMBERS = st.floats(width=32) | st.floats() | st.integers(-(10**6), 10**6)
"""They are made floats before they are compared, since whole numbers have no tolerance."""


@given(NUMBERS, st.floats(0, 3e-5), NUMBERS, st.booleans())
def test_closeness_is_that_of_numpy_for_scalars_lists_and_arrays(expected, share, other, related):
    got = expected * (1 + share) if related else other
    with np.errstate(all="ignore"):
        close = bool(np.isclose(got, expected, equal_nan=True))
    for wrap in (float, lambda number: [float(number)], lambda number: np.array([float(number)])):
        assert (first_difference(wrap(expected), wrap(got), "allclose") is None) == close


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(JSON)
def test_every_value_agrees_with_a_copy_of_itself(value):
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(_small(value)))
    assert first_difference(_small(value), copy, "equal") is None


@given(JSON, JSON)
def test_what_python_calls_equal_agrees_and_all_else_is_told_in_one_line(left, right):
    line = first_difference(left, right, "equal")
    assert (line is None) == (_marked(left) == _marked(right))
    assert line is None or "\n" not in line


def _small(value):
    """Integers as floats where MessagePack has no room for them."""
    match value:
        case bool():
            return value
        case int():
            return float(value) if abs(value) >= 2**63 else value
        case list():
            return [_small(each) for each in value]
        case dict():
            return {key: _small(each) for key, each in value.items()}
    return value


def _marked(value):
    """The same value with what == treats differently made plain: NaN by its name, a truth value by its type."""
    match value:
        case bool():
            return ("bool", value)
        case float() if value != value:
            return "NaN"
        case list():
            return [_marked(each) for each in value]
        case dict():
            return {key: _marked(each) for key, each in value.items()}
    return value


@given(arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(max_dims=3, max_side=4)))
def test_every_array_agrees_with_its_copy_and_with_the_list_of_its_rows(array):
    assert first_difference(array, array.copy(), "equal") is None
    assert first_difference(list(array), array, "allclose") is None


@given(arrays.arrays(np.float64, (3, 4), elements=st.floats(-100, 100)), st.integers(0, 2), st.integers(0, 3))
def test_one_changed_element_is_found_where_it_is(array, row, column):
    changed = array.copy()
    changed[row, column] += 1
    line = first_difference(array, changed, "allclose")
    assert line == f"output[{row}, {column}]: {float(array[row, column])} against {float(changed[row, column])}"
    names = list("abcd")
    line = first_difference(pd.DataFrame(array, columns=names), pd.DataFrame(changed, columns=names), "allclose")
    assert line.startswith(f"output['{names[column]}'].iloc[{row}]: ")


async def waits():
    return 1


async def streams():
    yield 1


def test_what_is_used_up_by_looking_at_it_is_refused_wherever_it_stands():
    once = itertools.count()
    for value, words in (
        ((each for each in ()), "output is a generator, which cannot be compared: return a list"),
        (map(str, []), "output is a map, "),
        (streams(), "output is an async_generator, "),
    ):
        with pytest.raises(UserError, match=words):
            first_difference(value, [], "equal")
        with pytest.raises(UserError, match=words):
            first_difference([], value, "allclose")
    with pytest.raises(UserError, match=r"output\['rows'\] is a count"):
        first_difference({"rows": once}, {"rows": once}, "equal")
    coroutine = waits()
    with pytest.raises(UserError, match="await it"):
        first_difference(coroutine, 1, "equal")
    coroutine.close()


def test_objects_that_cannot_say_whether_they_are_equal_are_refused():
    with pytest.raises(UserError, match=r"output is a Silent, which has no == of its own: .* a check of your own"):
        first_difference(Silent(), Silent(), "equal")
    with pytest.raises(UserError, match=r"output\[0\] is a Vague, whose == gives no single answer"):
        first_difference([Vague()], [Vague()], "equal")
    assert first_difference(Silent(), 1, "equal") == "output: type Silent against int"


def test_a_record_whose_class_was_loaded_twice_is_compared_by_its_fields():
    one, again, other = (make_dataclass("Row", fields, eq=False) for fields in (["a", "b"], ["a", "b"], ["a", "c"]))
    assert first_difference(one(1, 2), again(1, 2), "equal") is None
    assert first_difference(one(1, 2), again(1, 3), "equal") == "output.b: 2 against 3"
    assert first_difference(one(1, 2), other(1, 2), "equal") == "output: fields a, b against a, c"


def test_one_and_the_same_object_agrees_with_itself():
    one = Silent()
    assert first_difference([one], [one], "equal") is None


def test_a_list_that_contains_itself_is_refused():
    left, right = [], []
    left.append(left)
    right.append(right)
    with pytest.raises(UserError, match="contains itself"):
        first_difference(left, right, "equal")


def differs_by_one(expected, got):
    return abs(expected - got) <= 1


def asserts(expected, got):
    np.testing.assert_allclose(got, expected)


def asserts_with_a_reason(expected, got):
    assert expected == got, f"{got} is not what was asked for\nand more"


def asserts_bare(expected, got):
    if expected != got:
        raise AssertionError


def test_a_check_of_one_s_own_decides():
    assert first_difference(1, 2, differs_by_one) is None
    assert first_difference(1, 3, differs_by_one) == "output: differs_by_one returned False for 1 against 3"
    assert first_difference(1, 3, lambda expected, got: None) is None
    assert first_difference(1, 1, lambda expected, got: 0) == "output: <lambda> returned 0 for 1 against 1"
    assert first_difference(1.0, 1.0, asserts) is None
    assert first_difference(1.0, 2.0, asserts) == "output: Not equal to tolerance rtol=1e-07, atol=0"
    assert first_difference(1, 2, asserts_with_a_reason) == "output: 2 is not what was asked for"
    assert first_difference(1, 2, asserts_bare) == "output: an assertion in asserts_bare fails"


def test_a_check_of_one_s_own_sees_generators_and_lets_its_own_errors_out():
    assert first_difference(iter([1]), iter([1]), lambda expected, got: list(expected) == list(got)) is None
    with pytest.raises(ZeroDivisionError):
        first_difference(1, 0, lambda expected, got: expected / got)


def test_a_check_that_answers_element_by_element_is_refused():
    with pytest.raises(UserError, match=r"returned a ndarray: expected one True or False"):
        first_difference(np.array([1, 2]), np.array([1, 2]), lambda expected, got: expected == got)


def test_comparing_plain_python_imports_neither_numpy_nor_pandas():
    code = (
        "import sys; from argo_bench.harness.workers.agreement import first_difference as f; "
        "print(f({'a': [1.0, {2}]}, {'a': [1.1, {2}]}, 'allclose'), {'numpy', 'pandas'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "output['a'][0]: 1.0 against 1.1 set()\n"
