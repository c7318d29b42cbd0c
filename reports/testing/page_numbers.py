"""What a report must show, worked out from the results JSON by brute force: every sign pattern, every
pair of rounds. Knows nothing of how the page does it."""
import collections
import itertools
import json
import math
import statistics

Name = collections.namedtuple("Name", "op shape device implementation precision options")


def split(name):
    parts = name.split("/")
    return Name(*parts[:5], tuple(sorted(parts[5:])))


class Case:
    def __init__(self, name):
        self.name = name
        self.of = split(name)
        self.samples = collections.defaultdict(list)  # round -> seconds
        self.failure = None
        self.row = {}

    @property
    def verified(self):
        return not self.failure and self.row.get("error", math.inf) <= self.row.get("tolerance", -math.inf)

    @property
    def rounds(self):
        return {number: statistics.median(times) for number, times in self.samples.items()}

    @property
    def seconds(self):
        return None if self.failure else statistics.median(self.rounds.values())


def read(path):
    """The cases of a results file, by name."""
    cases = {}
    with open(path) as file:
        for row in json.load(file)["benchmarks"]:
            case = cases.setdefault(row["name"], Case(row["name"]))
            case.row = row
            if row.get("error_occurred"):
                case.failure = row["error_message"]
            else:
                case.samples[row["round"]].append(row["real_time"] * 1e-9)
    return cases


def sign_pattern_bound(n, confidence=0.95):
    """The order statistic k of Walsh averages, by the ranks' sum under each of the 2^n sign patterns."""
    sums = [sum(rank for rank, sign in zip(range(1, n + 1), signs) if sign)
            for signs in itertools.product((0, 1), repeat=n)]
    k = 1
    while 2 * (k + 1) <= n * (n + 1) // 2 and 1 - 2 * sum(t <= k for t in sums) / len(sums) >= confidence:
        k += 1
    return k


def estimate(logs):
    """(ratio, low, high) of log ratios."""
    walsh = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(logs, 2))
    k = sign_pattern_bound(len(logs))
    return tuple(math.exp(value) for value in (statistics.median(walsh), walsh[k - 1], walsh[-k]))


def log_ratios(base, case):
    """Round -> ln(baseline's time / this one's)."""
    return {number: math.log(base.rounds[number] / seconds)
            for number, seconds in sorted(case.rounds.items()) if number in base.rounds}


def number(value, digits=4):
    if value == 0:
        return "0"
    places = min(max(digits - 1 - math.floor(math.log10(abs(value))), 0), 15)
    return f"{value:.{places}f}"


def time_text(seconds):
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1, 1e3, "ms")):
        if seconds < limit:
            return f"{number(seconds * factor)} {unit}"
    return f"{number(seconds)} s"


def ratio_text(logs):
    value, low, high = estimate(logs)
    interval = f"{number(low, 3)}–{number(high, 3)}"
    if 1 - 2 / 2 ** len(logs) < 0.9:  # what the widest interval of so few rounds covers
        return f"can't tell ({interval}, only {len(logs)} rounds)"
    interval = f"({interval})"
    return f"can't tell {interval}" if low <= 1 <= high else f"{number(value, 3)}x {interval}"


MEANS = ("threads", "launch")


def contender(name):
    """Device, implementation and what only makes it fast."""
    means = [option for option in name.options if option.split(":")[0] in MEANS]
    return "/".join([name.device, name.implementation, *means])


def group(name):
    """What may be compared."""
    mode = tuple(option for option in name.options if option.split(":")[0] not in MEANS)
    return name.op, name.shape, name.precision, mode, "packed" in name.implementation


def against(cases, base, case):
    """What the column of ratios shows for a case."""
    if not case.verified or case.of.op == "peak":
        return None if case.failure else "–"
    for other in cases.values():
        if other.verified and contender(other.of) == base and group(other.of) == group(case.of):
            if other is case:
                return "baseline"
            kind = "speedup" if (other.of.device, case.of.device) == ("cpu", "gpu") else "ratio"
            return f"{ratio_text(list(log_ratios(other, case).values()))} {kind}"
    return "–"


def geometric_mean(cases, base, names, op, precision):
    """contender -> (text, shapes) over the shapes of one operation and precision, without a mode, that all
    of `names` and the baseline have."""
    chosen = collections.defaultdict(dict)
    for case in cases.values():
        mode = group(case.of)[3:]
        if case.verified and (case.of.op, case.of.precision) == (op, precision) and mode == ((), False):
            chosen[contender(case.of)][case.of.shape] = case
    shapes = set.intersection(*(set(chosen[name]) for name in [base, *names]))
    means = {}
    for name in names:
        logs = [log_ratios(chosen[base][shape], chosen[name][shape]) for shape in sorted(shapes)]
        rounds = set.intersection(*(set(each) for each in logs))
        means[name] = ratio_text([sum(each[r] for each in logs) / len(logs) for r in sorted(rounds)]), len(shapes)
    return means
