"""What must hold between the columns of a jet file before its jets are built."""

import numpy as np


def find_damage(arrays: dict[str, np.ndarray], n_classes: int) -> str | None:
    """Say in a clause what is wrong with the columns of a shard, or return None.

    Args:
        arrays: columns by name, packed ones decoded; a missing one is a KeyError.
        n_classes: number of classes that the metadata names.
    """
    n, offsets = len(arrays["label"]), arrays["offsets"]
    if offsets.shape != (n + 1,):
        return f"{n} labels need {n} counts or {n + 1} offsets, got offsets {offsets.shape}"
    if offsets[0] != 0 or (offsets[1:] < offsets[:-1]).any():
        return "offsets must rise from 0"
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(("label", "event", "multiplicity"), (n,))
    expected |= {"jet": (n, 4)} | dict.fromkeys(("pt", "deta", "dphi"), (int(offsets[-1]),))
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            return f"{name} must have the shape {shape} for {n} jets, got {arrays[name].shape}"
    wrong = arrays["label"][~np.isin(arrays["label"], np.arange(n_classes))]
    if len(wrong):
        return f"label must be in 0..{n_classes - 1}, got {wrong[0]}"
    return None
