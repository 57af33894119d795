"""The physics of a simulated sample: a table and a plot, class by class.

    python examples/jets/physics_table.py runs/sample --plot examples/jets/sample/physics.png

prints the mass peak, multiplicity and N-subjettiness of the jets in the shards of simulate.py, as a
Markdown table, and draws their distributions. N-subjettiness (arXiv:1011.2268) with beta = 1:
tau_N = sum_i pT_i min_k dR(i, axis k) / (R0 sum_i pT_i), the axes from exclusive kT clustering of
all constituents with winner-takes-all recombination.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pack_sample import Columns, read_shards

RADIUS = 0.8
COLOURS = tuple(f"tab:{c}" for c in ("blue", "red", "green", "orange", "purple", "brown", "cyan"))


def main(arguments: Sequence[str]) -> int:
    """Print the table and draw the plot; the result is the exit status."""
    parser = argparse.ArgumentParser(description="Physics table of simulated jets.")
    parser.add_argument("shards", type=Path, help="folder that simulate.py filled")
    parser.add_argument("--plot", type=Path, help="picture to write")
    parser.add_argument("--jets", type=int, default=5000, help="jets a class for tau_N")
    options = parser.parse_args(arguments)
    try:
        import fastjet  # noqa: F401
    except ImportError:
        print("physics_table.py: fastjet not found: install noneuclid[jets]", file=sys.stderr)
        return 1
    try:
        jets, metadata = read_shards(options.shards)
    except (OSError, ValueError) as error:
        print(f"physics_table.py: {error}", file=sys.stderr)
        return 1
    names = metadata["classes"]
    quantities = {
        names[label]: observables(jets, np.flatnonzero(jets["label"] == label), options.jets)
        for label in np.unique(jets["label"])[::-1]
    }
    print_table(quantities)
    if options.plot:
        draw(quantities, options.plot)
    return 0


def observables(jets: Columns, rows: np.ndarray, n_subjettiness: int) -> Columns:
    """Give mass, multiplicity and pT of all rows, tau ratios of the first ``n_subjettiness``."""
    taus = np.array([subjettiness(jets, row) for row in rows[:n_subjettiness]])
    return {
        "mass": jets["jet"][rows, 3],
        "multiplicity": jets["multiplicity"][rows],
        "pt": jets["jet"][rows, 0],
        "tau21": taus[:, 1] / taus[:, 0],
        "tau32": taus[:, 2] / taus[:, 1],
    }


def subjettiness(jets: Columns, row: int) -> tuple[float, float, float]:
    """Compute tau_1, tau_2 and tau_3 of a jet; the tiny term keeps few-particle jets finite."""
    import fastjet

    part = slice(jets["offsets"][row], jets["offsets"][row + 1])
    pt, eta, phi = (jets[name][part].astype(float) for name in ("pt", "deta", "dphi"))
    columns = (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta))
    particles = [fastjet.PseudoJet(*p) for p in np.stack(columns, axis=1).tolist()]
    definition = fastjet.JetDefinition(fastjet.kt_algorithm, RADIUS, fastjet.WTA_pt_scheme)
    sequence = fastjet.ClusterSequence(particles, definition)
    taus = []
    for number in (1, 2, 3):
        axes = sequence.exclusive_jets(min(number, len(particles)))
        distance = np.stack(
            [np.hypot(eta - axis.rap(), wrap(phi - axis.phi())) for axis in axes]
        ).min(axis=0)
        taus.append(float((pt * distance).sum() / (RADIUS * pt.sum())) + 1e-9)
    return taus[0], taus[1], taus[2]


def wrap(angle: np.ndarray) -> np.ndarray:
    """Bring angles into [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def peak(values: np.ndarray, width: float) -> float:
    """Give the centre of the fullest bin of a histogram."""
    counts, edges = np.histogram(values, np.arange(0, values.max() + 2 * width, width))
    return float(edges[counts.argmax()] + width / 2)


def print_table(quantities: dict[str, Columns]) -> None:
    """Print one row a quantity and one column a class."""
    rows = {
        "jets": lambda q: f"{len(q['mass'])}",
        "jet mass: peak (5 GeV bins), median / GeV": lambda q: (
            f"{peak(q['mass'], 5.0):.0f}, {np.median(q['mass']):.1f}"
        ),
        "share with mass in 150-200 GeV": lambda q: (
            f"{((q['mass'] > 150) & (q['mass'] < 200)).mean():.3f}"
        ),
        "constituents: mean, 99 % quantile": lambda q: (
            f"{q['multiplicity'].mean():.1f}, {np.quantile(q['multiplicity'], 0.99):.0f}"
        ),
        "tau32 median": lambda q: f"{np.median(q['tau32']):.3f}",
        "tau21 median": lambda q: f"{np.median(q['tau21']):.3f}",
        "share of jets in pT 550-575, 575-600, 600-625, 625-650 GeV": lambda q: ", ".join(
            f"{share:.2f}" for share in np.histogram(q["pt"], (550, 575, 600, 625, 651))[0]
            / len(q["pt"])
        ),
    }  # fmt: skip
    print("| quantity | " + " | ".join(quantities) + " |")
    print("|---|" + "---|" * len(quantities))
    for title, text in rows.items():
        print(f"| {title} | " + " | ".join(text(q) for q in quantities.values()) + " |")


def draw(quantities: dict[str, Columns], path: Path) -> None:
    """Draw the distributions."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = {
        "mass": ("jet mass / GeV", (0, 300)),
        "multiplicity": ("constituents", (0, 150)),
        "pt": ("jet $p_T$ / GeV", (550, 650)),
        "tau32": (r"$\tau_{32}$", (0, 1)),
    }
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for axis, (key, (title, limits)) in zip(axes.flat, panels.items(), strict=True):
        for (name, values), colour in zip(quantities.items(), COLOURS, strict=False):
            bins = np.linspace(*limits, 51)
            axis.hist(values[key], bins, density=True, histtype="step", color=colour, label=name)
        axis.set(xlabel=title, ylabel="density", xlim=limits)
    axes.flat[0].legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
