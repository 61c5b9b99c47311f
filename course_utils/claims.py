"""The ledger: the tutorial's twelve claims, and the one line that states a verdict."""

from typing import NamedTuple

VERDICTS = ("holds", "holds partly", "fails")


class Claim(NamedTuple):
    """A claim of the original tutorial in our words, and the notebooks that test it."""

    text: str
    notebooks: str


CLAIMS = {
    "C1": Claim("A CNN takes raw pixels: no hand-made features needed", "01"),
    "C2": Claim("Each layer extracts features; later layers combine basic ones into higher-order ones", "06"),
    "C3": Claim("In theory, a CNN is invariant to scale, translation and rotation", "06"),
    "C4": Claim("Local connection cuts the number of parameters", "02"),
    "C5": Claim("Weight sharing cuts it further, makes training easier and overfitting less", "02"),
    "C6": Claim("Weight sharing gives tolerance to translation", "02"),
    "C7": Claim("Pooling cuts the outputs, and so the parameters that follow", "03"),
    "C8": Claim("Pooling gives tolerance to slight deformation and so generalises better", "03"),
    "C9": Claim("A filter is a few parameters that look for the same thing at every position", "01, 02"),
    "C10": Claim("padding = (kernel_size - 1) / 2 keeps the size", "01"),
    "C11": Claim("One epoch of this CNN reaches 97.7 % on the test set", "05"),
    "C12": Claim("CNNs serve audio and text too", "07"),
}


def verdict(claim: str, outcome: str) -> None:
    """Print the verdict in the form that the notebook tests compare, for example `C11: holds`.

    Raises `ValueError` for a claim or an outcome that does not exist.
    """
    if claim not in CLAIMS:
        raise ValueError(f"there is no claim {claim!r}; the claims are {', '.join(CLAIMS)}")
    if outcome not in VERDICTS:
        raise ValueError(f"{outcome!r} is not a verdict; a verdict is one of {', '.join(VERDICTS)}")
    print(f"{claim}: {outcome}")


def empty_ledger() -> str:
    """The twelve claims as a Markdown table, the verdicts still to be found."""
    rows = [f"| {name} | {claim.text} | {claim.notebooks} |   |" for name, claim in CLAIMS.items()]
    return "\n".join(["| | Claim of the tutorial | Notebook | Verdict |", "|---|---|---|---|", *rows])
