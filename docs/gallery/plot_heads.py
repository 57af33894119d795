r"""
Every head on handwritten digits
================================

The same small encoder, eight numbers wide, with each classifier head of the library at its end, on
the UCI handwritten digits: 1,797 images of 8 x 8 pixels, ten classes. Beside them stand a linear
head on plain features, of about the same number of parameters, and what needs no training: the
nearest class mean of the raw pixels. Digits are no hierarchy, so nothing here asks for curvature:
the question is whether a head trains as well as a flat one. The training is short, so that this
page is built in less than a minute.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import noneuclid as ne
from noneuclid.layers import Drop, Lift, make_classifier
from noneuclid.optim import RiemannianAdam

WIDTH, CLASSES, SEEDS = 8, 10, (0, 1, 2)
pixels, digits = (torch.as_tensor(column) for column in load_digits(return_X_y=True))
pixels = pixels.float() / 16


def split(seed: int) -> list[torch.Tensor]:
    """Return pixels and digits to train on and to test on, half and half."""
    return train_test_split(pixels, digits, test_size=0.5, random_state=seed, stratify=digits)


def model(space: str, head: str) -> nn.Module:
    """Return the encoder with a head on a space."""
    manifold = ne.manifold(space)
    end = Drop(manifold, CLASSES)
    if head != "linear":
        end = make_classifier(manifold, CLASSES, head=head)
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), Lift(32, manifold), end)


def accuracy(space: str, head: str, seed: int, epochs: int = 25) -> float:
    """Train and return the share of right answers on the test half."""
    x, x_test, y, y_test = split(seed)
    torch.manual_seed(seed)
    net = model(space, head)
    optimizer = RiemannianAdam(net.parameters(), lr=0.02)
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(225):
            loss = nn.functional.cross_entropy(net(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return (net(x_test).argmax(-1) == y_test).float().mean().item()


def floor(seed: int) -> float:
    """Return the accuracy of the nearest class mean."""
    x, x_test, y, y_test = split(seed)
    means = torch.stack([x[y == digit].mean(0) for digit in range(CLASSES)])
    return (torch.cdist(x_test, means).argmin(-1) == y_test).float().mean().item()


# %%
# Mean and standard deviation over three splits and seeds. H8 and B8 are one space in two models:
# the same start and, to rounding, the same logits. What their rows differ by is what rounding alone
# makes of a training run; differences between heads that are smaller than that, or than the spread
# over the seeds, mean nothing. The curvature of K8 starts at 0, flat, and learns.
E, H, B, S, K = f"E{WIDTH}", f"H{WIDTH}", f"B{WIDTH}", f"S{WIDTH}", f"K{WIDTH}*"
ROWS = [(E, "linear"), *[(space, "hyperplane") for space in (H, B, S, K)]]
ROWS += [(H, "busemann"), (H, "prototype"), (S, "prototype"), (H, "ideal")]
found = {"nearest mean, no training": [floor(seed) for seed in SEEDS]}
for space, head in ROWS:
    found[f"{space} {head}"] = [accuracy(space, head, seed) for seed in SEEDS]
print(f"{'head':28} accuracy")
for name, values in found.items():
    spread = torch.tensor(values)
    print(f"{name:28} {spread.mean():.3f} +- {spread.std():.3f}")

# %%
figure, axis = plt.subplots(figsize=(6, 4.5), layout="constrained")
for row, (name, values) in enumerate(reversed(found.items())):
    axis.plot(
        values, [row] * len(values), "o", markersize=4, color="C0" if " no " not in name else "grey"
    )
axis.set_yticks(range(len(found)), list(reversed(found)))
axis.set(xlabel="accuracy on the test half")
axis.grid(axis="x", linewidth=0.3)
plt.show()
