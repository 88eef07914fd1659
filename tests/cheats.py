"""Functions that agree when they are checked first, and are wrong when they are timed: for tests/test_cheats.py."""

CALLS = 0
LEFT: list[float] = []


def total():
    return sum(range(2000))


def right_nine_times():
    """A constant from the tenth call on."""
    global CALLS
    CALLS += 1
    return total() if CALLS < 10 else 7


def leaves():
    LEFT.append(0.0)
    return total()


def reads_what_was_left():
    """Right only in a process in which the other function has run."""
    return 1_999_000 if LEFT else 0


def in_other_words():
    return sum(reversed(range(2000)))


def pages():
    """Larger than what is compared again."""
    return bytes(2_000_000)


def words():
    """In another order in every process, as hashes are, and so is the other function's."""
    return list({"alpha", "beta", "gamma", "delta"})


def same_words():
    return sorted({"alpha", "beta", "gamma", "delta"}, key=list({"alpha", "beta", "gamma", "delta"}).index)
