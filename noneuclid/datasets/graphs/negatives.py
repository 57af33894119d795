"""Pairs of nodes that are no edges: uniform ones, and ones of the same degrees as the edges."""

from collections.abc import Callable

import numpy as np

ROUNDS = 200  # of proposals; each round settles most of what is left


class PairSampler:
    """Draw pairs u < v that are no edges and never the same pair twice.

    Args:
        edges: (E, 2) all edges of the graph, also those that are held out.
        num_nodes: n.
        rng: Source of the draws.
    """

    def __init__(self, edges: np.ndarray, num_nodes: int, rng: np.random.Generator) -> None:
        self._n, self._rng = num_nodes, rng
        self._taken = np.sort(self._keys(edges))

    @property
    def left(self) -> int:
        """The number of pairs that could still be drawn."""
        return self._n * (self._n - 1) // 2 - len(self._taken)

    def uniform(self, count: int) -> np.ndarray:
        """Draw (count, 2) pairs, each as likely as any other that is left."""
        return self._draw(count, lambda slots, _: self._any(len(slots)))

    def matched(self, edges: np.ndarray, degrees: np.ndarray) -> np.ndarray:
        """Draw for each edge a pair of the same degrees: one end stays, at random which.

        The other end becomes a random node of the same degree; where that gives no new pair, of a
        degree within a factor that grows from round to round, so that the hub of a graph is
        replaced by a lesser hub. A score that knows only degrees gets chance on these pairs.

        Args:
            edges: (P, 2) the edges to match.
            degrees: (n,) degrees, of the training graph.
        """
        order = np.argsort(degrees, kind="stable")
        level = degrees[order]
        swap = self._rng.random(len(edges)) < 0.5
        kept, moved = np.where(swap[:, None], edges[:, ::-1], edges).T

        def propose(slots: np.ndarray, round_: int) -> np.ndarray:
            width = 1.02 ** max(round_ - 5, 0)
            wanted = degrees[moved[slots]]
            first = np.searchsorted(level, wanted / width, side="left")
            last = np.searchsorted(level, wanted * width, side="right")
            if round_ > ROUNDS // 2:  # few nodes are no neighbour of the one that stays
                first, last = np.zeros_like(first), np.full_like(last, self._n)
            new = order[self._rng.integers(first, last)]
            return np.stack([kept[slots], new], axis=1)

        return self._draw(len(edges), propose)

    def _draw(self, count: int, propose: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
        """Propose pairs for the open slots until each has a new one."""
        if count > self.left:
            raise ValueError(
                f"{count} more pairs that are no edges are needed, there are {self.left}: "
                "the graph is too dense"
            )
        pairs = np.zeros((count, 2), dtype=np.int64)
        slots = np.arange(count)
        for round_ in range(ROUNDS):
            if not len(slots):
                break
            last = round_ == ROUNDS - 1
            pairs[slots] = self._rest(len(slots)) if last else np.sort(propose(slots, round_), 1)
            keys = self._keys(pairs[slots])
            place = np.searchsorted(self._taken, keys)
            known = np.append(self._taken, -1)[place] == keys
            good = np.zeros(len(slots), dtype=bool)
            good[np.unique(keys, return_index=True)[1]] = True  # the first of equal ones
            good &= ~known & (pairs[slots, 0] != pairs[slots, 1])
            added = np.sort(keys[good])
            self._taken = np.insert(self._taken, np.searchsorted(self._taken, added), added)
            slots = slots[~good]
        return pairs

    def _any(self, count: int) -> np.ndarray:
        first = self._rng.integers(self._n, size=count)
        second = self._rng.integers(1, self._n, size=count)
        return np.stack([first, (first + second) % self._n], axis=1)

    def _rest(self, count: int) -> np.ndarray:
        """Choose among all pairs that are left; what is hard to hit is few of a small graph."""
        u, v = np.triu_indices(self._n, 1)
        left = np.setdiff1d(u * self._n + v, self._taken, assume_unique=True)
        chosen = self._rng.choice(left, count, replace=False)
        return np.stack([chosen // self._n, chosen % self._n], axis=1)

    def _keys(self, pairs: np.ndarray) -> np.ndarray:
        return pairs.min(axis=1) * self._n + pairs.max(axis=1)
