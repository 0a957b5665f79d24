"""stats - medians, their noise, and figures taken in pairs."""

import statistics


def spread(values: list[float]) -> tuple[float, float]:
    """The median, and how far off it may be by noise: the notch of a box plot
    (McGill, Tukey, Larsen 1978), about its 95 % confidence interval. Of fewer
    than four values, half of what they span."""
    middle = statistics.median(values)
    if len(values) < 4:
        return middle, (max(values) - min(values)) / 2
    low, _, high = statistics.quantiles(values, n=4)
    return middle, 1.57 * (high - low) / len(values) ** 0.5


def paired(combine, first: list, second: list) -> tuple[float, float]:
    """spread() of what combine gives for the two of each round: what slowed
    the machine down in one round slowed both of them down."""
    return spread([combine(a, b) for a, b in zip(first, second)])


def turns(names: list, rounds: int, close: list, pairs: int):
    """The order in which servers are measured: every one in each of rounds,
    then those of close until each had pairs turns. Each round goes the other
    way than the one before (ABBA), so that a machine which slows down does so
    for all of them."""
    for number in range(max(rounds, pairs if close else 0)):
        group = names if number < rounds else close
        yield from group if number % 2 == 0 else reversed(group)
