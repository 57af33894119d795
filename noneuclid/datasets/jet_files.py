"""The jet file formats: each reader turns a file into blocks of jets of one common form.

Recognised are ``.npz`` shards and packed samples (of ``examples/jets``), HDF5 files of the Top
Tagging reference set [kasieczka2019machine] and ROOT files of JetClass [qu2022particle]. h5py,
uproot and awkward are imported when a file needs them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from noneuclid.datasets._block import Block, JetFileError, wrap
from noneuclid.datasets._jet_file import JetFile
from noneuclid.datasets._jetclass import JETCLASS_NAMES, JetClassFile
from noneuclid.datasets._npz import PACKED_ANGLE, PACKED_PT, NpzFile
from noneuclid.datasets._top_tagging import TopTaggingFile

__all__ = [
    "BLOCK",
    "JETCLASS_NAMES",
    "PACKED_ANGLE",
    "PACKED_PT",
    "SUFFIXES",
    "Block",
    "JetFile",
    "JetFileError",
    "open_jet_file",
    "read_blocks",
    "wrap",
]

BLOCK = 10_000  # jets read at a time: bounds the memory, 200 particles of float64 are 64 MB
SUFFIXES = (".npz", ".h5", ".hdf5", ".root")
_FORMATS: dict[bytes, type[JetFile]] = {
    b"PK": NpzFile,
    b"\x89HDF\r\n\x1a\n": TopTaggingFile,
    b"root": JetClassFile,
}


def open_jet_file(path: Path, file_number: int = 0) -> JetFile:
    """Open a jet file of any recognised kind, which its first bytes tell.

    Where a file has no event numbers they count its rows, from ``file_number`` 2^40 on, so that
    they differ between files.

    Raises:
        JetFileError: The file is truncated or none of the recognised kinds.
        ImportError: The file needs a package that is not installed.
    """
    with path.open("rb") as stream:
        start = stream.read(8)
    for magic, kind in _FORMATS.items():
        if start.startswith(magic):
            return kind(path, file_number << 40)
    raise JetFileError(
        f"{path} is not a jet file: expected a shard or packed sample (.npz), a Top Tagging "
        "file (HDF5) or a JetClass file (ROOT)"
    )


def read_blocks(
    path: Path, limit: int | None, file_number: int = 0, extra: Sequence[str] = ()
) -> Iterator[Block]:
    """Yield the jets of one file, at most ``limit``, in the order of the file.

    Raises:
        JetFileError: As ``open_jet_file``, or the file lacks a column named in ``extra``.
        ImportError: As ``open_jet_file``.
    """
    with open_jet_file(path, file_number) as file:
        total = len(file) if limit is None else min(limit, len(file))
        for first in range(0, total, BLOCK):
            yield file.read(first, min(first + BLOCK, total), extra)
