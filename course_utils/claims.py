"""The tutorial's twelve claims: what each says, the rule that judges it, the one statistic, and the verdict.

A rule takes the stored results of an experiment and returns the verdict with the figures that decided it. Results are
lists of runs, dictionaries with an "arm" and a "seed"; two arms that are compared ran with the same seeds, which fix
images, order and test images alike. Accuracies are stored as shares, 0..1, and judged in percentage points.
"""

import ast
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from scipy import stats

from course_utils import records

VERDICTS = ("holds", "holds partly", "fails")
SECOND_DATA = "Fashion-MNIST"  # where six of the claims, registered beforehand, are judged again
Runs = list[dict[str, Any]]


class Claim(NamedTuple):
    """A claim of the tutorial in our words, where the tutorial makes it, and the notebooks that test it."""

    text: str
    place: str
    notebooks: str


CLAIMS = {
    "C1": Claim("A CNN takes raw pixels: no hand-made features needed", "first paragraph", "07"),
    "C2": Claim(
        "Each layer extracts features; later layers combine basic ones into higher-order ones", "first paragraph", "07"
    ),
    "C3": Claim("In theory, a CNN is invariant to scale, translation and rotation", "first paragraph", "07"),
    "C4": Claim("Local connection cuts the number of parameters", "second paragraph", "02"),
    "C5": Claim("Weight sharing cuts it further, makes training easier and overfitting less", "second paragraph", "02"),
    "C6": Claim("Weight sharing gives tolerance to translation", "second paragraph", "03"),
    "C7": Claim("Pooling cuts the outputs, and so the parameters that follow", "second paragraph", "03"),
    "C8": Claim("Pooling gives tolerance to slight deformation and so generalises better", "second paragraph", "03"),
    "C9": Claim(
        "A filter is a few parameters that look for the same thing at every position", "second paragraph", "01, 02"
    ),
    "C10": Claim("padding = (kernel_size - 1) / 2 keeps the size", "comment beside conv1", "01"),
    "C11": Claim("One epoch of this CNN reaches 97.7 % on the test set", "last sentence, and the printed log", "05"),
    "C12": Claim("CNNs serve audio and text too", "first paragraph", "08"),
}


class Verdict(NamedTuple):
    """One of `VERDICTS`, and in a sentence the figures that decided it."""

    outcome: str
    figures: str


class Difference(NamedTuple):
    """The mean of differences between paired runs, and the ends of its 95 % t interval."""

    mean: float
    low: float
    high: float

    def shown(self, margin: float) -> bool:
        """Is it above 0 beyond chance, and at least as large as somebody would care about?"""
        return self.low > 0 and self.mean >= margin

    def __str__(self) -> str:
        return f"{self.mean:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


def paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """`first` minus `second`, run by run: the paired t interval (Student, 1908), as in `scipy.stats.ttest_rel`.

    Both hold one number for each seed, in the same order. Raises `ValueError` for fewer than two pairs, or for
    numbers without a partner.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(
            f"paired runs need a partner each, and at least two pairs; got {len(first)} and {len(second)} numbers"
        )
    differences = [one - other for one, other in zip(first, second, strict=True)]
    if len(set(differences)) == 1:  # no spread: SciPy would divide by it
        return Difference(differences[0], differences[0], differences[0])
    low, high = stats.ttest_rel(first, second).confidence_interval(0.95)
    return Difference(mean(differences), float(low), float(high))


def prediction_interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the next run would lie with 95 % probability, if runs are normally distributed.

    Mean ± t · s · √(1 + 1/n): Hahn and Meeker, *Statistical intervals*, 1991, section 4.7.
    """
    reach = stats.t.ppf(0.975, len(values) - 1) * stdev(values) * math.sqrt(1 + 1 / len(values))
    return mean(values) - reach, mean(values) + reach


def points(runs: Runs, value: str, *index: Any, **where: Any) -> list[float]:
    """`value` of the runs in which every key of `where` has its value, by seed, in percentage points.

    `index` leads into a value that is a list or a dictionary. Raises `ValueError` where there is no such run.
    """
    chosen = [run for run in runs if all(run[key] == wanted for key, wanted in where.items())]
    if not chosen:
        raise ValueError(f"there is no run with {where}")
    numbers = []
    for run in sorted(chosen, key=lambda run: run["seed"]):
        number = run[value]
        for step in index:
            number = number[step]
        numbers.append(100 * number)
    return numbers


def counts_of(runs: Runs) -> list[int]:
    """The numbers of training images that occur, from small to large."""
    return sorted({run["images"] for run in runs})


def _graded(true: int, of: int) -> str:
    """The verdict on a claim of which so many statements are true."""
    return "holds" if true == of else "holds partly" if true else "fails"


def c1(results: dict[str, Any]) -> Verdict:
    """Holds if hand-made maps, as further input channels of the CNN, help at no number of images; fails if at all.

    They help where the gain is shown and at least 0.2 points.
    """
    runs, margin = results["runs"], 0.2
    gains = {
        images: paired(
            points(runs, "test_accuracy", arm="pixels and hand-made maps", images=images),
            points(runs, "test_accuracy", arm="pixels", images=images),
        )
        for images in counts_of(runs)
    }
    without_help = sum(not gain.shown(margin) for gain in gains.values())
    said = ", ".join(f"{gain} with {images:,} images" for images, gain in gains.items())
    return Verdict(_graded(without_help, len(gains)), f"points gained by hand-made maps as further channels: {said}")


def c2(results: dict[str, Any]) -> Verdict:
    """Graded by three statements, each by at least 0.2 points and shown.

    A probe of each block is better than one of the block below; than one of the same block untrained; and the last
    block of filters that mix maps is better than that of filters that don't, at equal parameters.
    """
    runs, margin = results["runs"], 0.2

    def probes(depth: int, arm: str) -> list[float]:
        return points(runs, "accuracy", depth, arm=arm)

    blocks = range(1, len(runs[0]["accuracy"]))
    below = [paired(probes(block, "mixed"), probes(block - 1, "mixed")) for block in blocks]
    untrained = [paired(probes(block, "mixed"), probes(block, "mixed, untrained")) for block in blocks]
    unmixed = paired(probes(-1, "mixed"), probes(-1, "unmixed, as many parameters"))
    true = [all(gain.shown(margin) for gain in gains) for gains in (below, untrained, [unmixed])]
    said = (
        f"points above the block below {', '.join(f'{gain.mean:+.1f}' for gain in below)}; above the untrained block "
        f"{', '.join(f'{gain.mean:+.1f}' for gain in untrained)}; mixed above unmixed, as many parameters, {unmixed}"
    )
    return Verdict(_graded(sum(true), len(true)), said)


def c3(results: dict[str, Any]) -> Verdict:
    """Holds if shift, turn and scale are forgiven up to 4 pixels; partly if one of them is at 1 pixel; else fails.

    Pixels are the displacement at a digit's edge, 10 pixels from its centre. A change is forgiven if one of the
    networks loses less than 0.5 points by it: the upper end of the interval lies below that.
    """
    runs, margin = results["runs"], 0.5
    networks = sorted({run["arm"] for run in runs})
    kinds = list(runs[0]["accuracy"])

    def loss(kind: str, pixels: int) -> Difference:
        """By the network that loses less."""
        return min(
            paired(points(runs, "accuracy", kind, 0, arm=arm), points(runs, "accuracy", kind, pixels, arm=arm))
            for arm in networks
        )

    slight = {kind: loss(kind, 1) for kind in kinds}
    forgiven = [kind for kind in kinds if slight[kind].high < margin]
    everywhere = all(loss(kind, pixels).high < margin for kind in kinds for pixels in (1, 2, 3, 4))
    outcome = "holds" if everywhere else "holds partly" if forgiven else "fails"
    said = ", ".join(f"{kind} {loss(kind, 1).mean:.2f} and {loss(kind, 4).mean:.1f}" for kind in kinds)
    return Verdict(outcome, f"points lost at 1 and at 4 pixels: {said}; forgiven at 1: {', '.join(forgiven) or 'none'}")


def c5(results: dict[str, Any]) -> Verdict:
    """Holds if sharing eases training and lessens overfitting under every head; fails if neither under any.

    Under one head, training is easier if at every number of images sharing needs at least a tenth fewer updates to
    learn, and overfitting less if the gap from training to test accuracy is at least 0.5 points smaller; both shown.
    """
    runs, least_updates, margin = results["runs"], 0.1, 0.5
    heads = list(dict.fromkeys(run["head"] for run in runs))

    def gap(arm: str, **where: Any) -> list[float]:
        pairs = (points(runs, f"{split}_accuracy", arm=arm, **where) for split in ("train", "test"))
        return [train - test for train, test in zip(*pairs, strict=True)]

    easier, less = [], []
    for head in heads:
        places = [{"head": head, "images": images} for images in counts_of(runs)]
        gaps = [paired(gap("local", **place), gap("shared", **place)) for place in places]
        updates = [[points(runs, "updates", arm=arm, **place) for arm in ("local", "shared")] for place in places]
        if all(paired(local, shared).shown(least_updates * mean(local)) for local, shared in updates):
            easier.append(head)
        if all(difference.shown(margin) for difference in gaps):
            less.append(head)
    said = f"easier under: {', '.join(easier) or 'none'}; less overfitting under: {', '.join(less) or 'none'}"
    return Verdict(_graded(len(easier) + len(less), 2 * len(heads)), f"{said} (heads: {', '.join(heads)})")


def c6(results: dict[str, Any]) -> Verdict:
    """Graded by two statements: sharing alone lessens what 4 pixels cost, under a flatten head and under averaging.

    By at least 5 points, and shown.
    """
    runs, margin = results["runs"], 5.0

    def cost(arm: str, head: str) -> list[float]:
        places = (points(runs, "accuracy", pixels, arm=arm, head=head) for pixels in (0, 4))
        return [still - moved for still, moved in zip(*places, strict=True)]

    heads = ("flatten", "average")
    saved = {head: paired(cost("local", head), cost("shared", head)) for head in heads}
    said = ", ".join(
        f"{arm} and {head} {mean(points(runs, 'accuracy', 4, arm=arm, head=head)):.1f} %"
        for arm in ("local", "shared")
        for head in heads
    )
    return Verdict(
        _graded(sum(each.shown(margin) for each in saved.values()), len(heads)), f"right at 4 pixels: {said}"
    )


def c8(results: dict[str, Any]) -> Verdict:
    """Graded by two statements about max-pooling against a stride, as it is and widened to equal multiply-adds.

    It loses at least 0.3 points less, under warps of 1 and of 2 pixels; it is at least 0.2 points better on clean
    images. Shown against both.
    """
    runs, tolerance, margin = results["runs"], 0.3, 0.2
    rivals, warps = ("stride", "stride, as many multiply-adds"), ("1 px", "2 px")

    def loss(arm: str, warp: str) -> list[float]:
        states = (points(runs, "test_accuracy", state, arm=arm) for state in ("clean", warp))
        return [clean - warped for clean, warped in zip(*states, strict=True)]

    def clean(arm: str) -> list[float]:
        return points(runs, "test_accuracy", "clean", arm=arm)

    saved = {(rival, warp): paired(loss(rival, warp), loss("max", warp)) for rival in rivals for warp in warps}
    better = {rival: paired(clean("max"), clean(rival)) for rival in rivals}
    true = [all(s.shown(tolerance) for s in saved.values()), all(b.shown(margin) for b in better.values())]
    said = (
        f"points saved by max-pooling under warps of 1 and 2 px: {', '.join(map(str, saved.values()))}; "
        f"gained on clean images: {', '.join(map(str, better.values()))} (against {' and '.join(rivals)})"
    )
    return Verdict(_graded(sum(true), len(true)), said)


def c11(results: dict[str, Any]) -> Verdict:
    """Holds if 97.7 lies in the 95 % prediction interval of what a run logs at step 1,100; fails if it lies outside."""
    runs, step, claimed = results["runs"], 1100, 97.7
    logged = [100 * run["watched_accuracy"][run["steps"].index(step)] for run in runs]
    low, high = prediction_interval(logged)
    said = f"a run logs {low:.2f} to {high:.2f} % at step 1,100 ({len(logged)} seeds, mean {mean(logged):.2f} %)"
    return Verdict("holds" if low <= claimed <= high else "fails", said)


def c12(results: dict[str, Any]) -> Verdict:
    """Graded by two statements: in sound, and in text, the 1-D CNN is better than both of its rivals.

    They are a dense network of equal size, and the shallow method that people would use. By at least 1 point, shown.
    """
    margin, better, said = 1.0, [], []
    for domain, runs in results.items():
        cnn = points(runs, "test_accuracy", arm="1-D CNN")
        dense = paired(cnn, points(runs, "test_accuracy", arm="dense"))
        shallow = paired(cnn, points(runs, "test_accuracy", arm="shallow"))
        better.append(dense.shown(margin) and shallow.shown(margin))
        said.append(f"{domain} {mean(cnn):.1f} %, {dense} against dense, {shallow} against shallow")
    return Verdict(_graded(sum(better), len(better)), "; ".join(said))


RULES = {"C1": c1, "C2": c2, "C3": c3, "C5": c5, "C6": c6, "C8": c8, "C11": c11, "C12": c12}
SHARED = ("Difference", "paired", "prediction_interval", "points", "counts_of", "_graded")  # what the rules stand on


def rule_hash(claim: str, source: str | None = None) -> str:
    """SHA-256 of a claim's rule and of what it stands on, as written in `source` (this file's text if None).

    Stored with a result, it says by which rule that may be judged: a test finds the rule in the history before it.
    """
    source = Path(__file__).read_text(encoding="utf-8") if source is None else source
    parts = {
        node.name: ast.get_source_segment(source, node)
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    text = "\n".join(str(parts[name]) for name in (*SHARED, claim.lower()))
    return hashlib.sha256(text.encode()).hexdigest()


def verdict(claim: str, outcome: str, figures: str, data: str | None = None) -> None:
    """Print a verdict, for example `C11: holds`, and on the next line the figures that decided it.

    `verdict("C11", *c11(results))` takes both from a rule; with `data`, the verdict is one on that data set:
    `C3 on Fashion-MNIST: fails`. The README's ledger is made of these two lines; a learner's own ledger gets the
    verdict. Raises `ValueError` for a claim, an outcome or a data set that does not exist, and for figures that are not
    one line.
    """
    if claim not in CLAIMS:
        raise ValueError(f"there is no claim {claim!r}; the claims are {', '.join(CLAIMS)}")
    if outcome not in VERDICTS:
        raise ValueError(f"{outcome!r} is not a verdict; a verdict is one of {', '.join(VERDICTS)}")
    if data not in (None, SECOND_DATA):
        raise ValueError(f"no claim is judged on {data!r}; without `data` it is MNIST, the other is {SECOND_DATA!r}")
    if len(figures.splitlines()) != 1 or "|" in figures:
        raise ValueError(f"the figures stand in a table: one line without a vertical bar, got {figures!r}")
    name = f"{claim} on {data}" if data else claim
    print(f"{name}: {outcome}\n{figures}")
    records.keep("verdicts", name, outcome)


def empty_ledger() -> str:
    """The twelve claims as a Markdown table, the verdicts still to be found."""
    rows = [f"| {name} | {claim.text} | {claim.notebooks} |   |" for name, claim in CLAIMS.items()]
    return "\n".join(["| | Claim of the tutorial | Notebook | Verdict |", "|---|---|---|---|", *rows])
