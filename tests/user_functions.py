"""What a user might compare: functions of a module, for test_benchmark.py."""

ANSWER = 42
SIZE = 1 << 20


def numbers():
    return [0.001 * each for each in range(5_000)]


def slow(values):
    total = 0
    for value in values:
        total += value
    return total


def fast(values):
    return sum(values)


def known(values):
    return len(values) * (values[0] + values[-1]) / 2


def wrong(values):
    return sum(values) + 1


def broken(values):
    raise ValueError("broken on purpose")


def a_list():
    return [3, 1, 2]


def pops(values):
    return values.pop() if values else None


def all_at_once():
    return len([b"x" * SIZE for _ in range(40)])


def one_by_one():
    return sum(1 for _ in (b"x" * SIZE for _ in range(40)))
