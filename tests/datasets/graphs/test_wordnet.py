"""WordNet: a made-up dict directory, the counts of the real one where it is installed."""

import os
from pathlib import Path

import pytest

from noneuclid.datasets.graphs import make_graph, mammals, read_wordnet, transitive_closure

LICENSE = "  1 This software and database is being provided to you, the LICENSEE\n"
DEBIAN = Path("/usr/share/wordnet")


def line(offset: int, category: int, words: str, *pointers: tuple[str, int, str]) -> str:
    """Write a synset as WordNet does: the number of words is hexadecimal."""
    spoken = words.split()
    fields = [f"{offset:08d}", f"{category:02d}", "n", f"{len(spoken):02x}"]
    fields += [part for word in spoken for part in (word, "0")]
    fields.append(f"{len(pointers):03d}")
    fields += [part for s, to, kind in pointers for part in (s, f"{to:08d}", kind, "0000")]
    return " ".join(fields) + " | a gloss, with words | and @ 00000001 n\n"


def index(word: str, *offsets: int) -> str:
    numbers = " ".join(f"{offset:08d}" for offset in offsets)
    return f"{word} n {len(offsets)} 2 @ ~ {len(offsets)} 1 {numbers}  \n"


def write_nouns(folder: Path, *, cyclic: bool = False) -> Path:
    """Write mammal above dog and tusker, dog above Laika; entity above mammal and stone."""
    up = (("@", 80, "n"),) if cyclic else ()
    lines = [
        line(80, 5, "Laika", ("@i", 60, "n")),
        line(10, 3, "entity", *up, ("~", 20, "n")),
        line(20, 5, "mammal mammalian", ("@", 10, "n"), ("+", 90, "a")),
        line(60, 5, "dog hound", ("@", 20, "n"), ("@", 20, "n"), ("#p", 10, "n")),
        line(70, 5, "tusker", ("@", 20, "n")),
        line(40, 17, "stone", ("@", 10, "n")),
        line(50, 17, "orphan"),
    ]
    (folder / "data.noun").write_text(LICENSE + "".join(lines))
    names = [index("dog", 90, 60), index("stone", 40), index("mammal", 20), index("laika", 80)]
    names += [index("tusker", 70), index("entity", 10), index("orphan", 50)]
    (folder / "index.noun").write_text(LICENSE + "".join(names))
    return folder


def named(graph) -> set[tuple[str, str]]:
    return {(graph.names[u], graph.names[v]) for u, v in graph.edges.tolist()}


def test_closure_of_a_small_wordnet(tmp_path: Path) -> None:
    graph = read_wordnet(write_nouns(tmp_path), "nouns")
    assert named(graph) == {
        ("entity.n.01", "mammal.n.01"),
        ("entity.n.01", "stone.n.01"),
        ("entity.n.01", "tusker.n.01"),
        ("entity.n.01", "dog.n.02"),
        ("entity.n.01", "laika.n.01"),
        ("mammal.n.01", "tusker.n.01"),
        ("mammal.n.01", "dog.n.02"),
        ("mammal.n.01", "laika.n.01"),
        ("dog.n.02", "laika.n.01"),
    }
    assert "orphan.n.01" not in graph.names  # no edge
    classes = dict(zip(graph.names, graph.y.tolist(), strict=True))
    assert classes["entity.n.01"] == 0
    assert classes["dog.n.02"] == 1
    assert classes["stone.n.01"] == 2
    assert graph.curvature_signs == (-1,)
    direct = read_wordnet(tmp_path, "nouns", closure=False)
    assert direct.num_edges == 5
    assert named(transitive_closure(direct)) == named(graph)


def test_mammals_leave_out_what_the_authors_do(tmp_path: Path) -> None:
    graph = read_wordnet(write_nouns(tmp_path), "mammals")
    assert graph.names == ("mammal.n.01", "dog.n.02", "laika.n.01")
    assert graph.edges.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_errors_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="part must be one of nouns, verbs, mammals, got 'noun'"):
        read_wordnet(tmp_path, "noun")
    with pytest.raises(FileNotFoundError, match=r"data\.noun is not there: .*wordnet-base"):
        read_wordnet(tmp_path)
    write_nouns(tmp_path, cyclic=True)
    with pytest.raises(ValueError, match="form a cycle"):
        read_wordnet(tmp_path)
    (tmp_path / "data.noun").write_text("00000010 03 n 01 entity 0 zz\n")
    with pytest.raises(ValueError, match=r"data\.noun is not a data file .*'00000010 03 n"):
        read_wordnet(tmp_path)
    (tmp_path / "data.noun").write_text(line(10, 3, "entity"))
    with pytest.raises(ValueError, match=r"no mammal\.n\.01"):
        read_wordnet(tmp_path)


def test_closure_of_a_diamond() -> None:
    graph = make_graph([(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)], 6)
    closure = transitive_closure(graph)
    assert closure.num_edges == 9
    assert closure.num_nodes == 6
    assert transitive_closure(closure).edges.equal(closure.edges)


@pytest.mark.skipif(not DEBIAN.is_dir() and "WORDNET" not in os.environ, reason="no WordNet")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "nodes", "edges", "direct"),
    [
        ("nouns", 82_115, 743_241, 84_427),
        ("verbs", 13_542, 35_079, 13_239),
        ("mammals", 1_180, 6_540, 1_180),
    ],
)
def test_counts_of_the_real_one(part: str, nodes: int, edges: int, direct: int) -> None:
    folder = Path(os.environ.get("WORDNET", DEBIAN))
    graph = read_wordnet(folder, part)
    assert (graph.num_nodes, graph.num_edges) == (nodes, edges)
    hypernyms = read_wordnet(folder, part, closure=False)
    assert hypernyms.num_edges == direct
    if part == "mammals":
        assert hypernyms.edges.equal(mammals(closure=False).edges)
        assert hypernyms.names == mammals().names
