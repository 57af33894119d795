"""The reader of the pieces of a stream: open files, and the jets that the selection takes."""

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from noneuclid.datasets._pieces import Piece
from noneuclid.datasets.jet_features import EXTRA
from noneuclid.datasets.jet_files import JetFile, open_jet_file
from noneuclid.datasets.jets import Jets, as_tensors

if TYPE_CHECKING:
    from noneuclid.datasets.streams import JetStream

OPEN_FILES = 12  # at a time, one of each class; an .npz file is in memory while it is open


class PieceReader:
    """Read pieces of the files of a stream; use it as a context manager."""

    def __init__(self, stream: "JetStream") -> None:
        self._stream = stream
        self._open: OrderedDict[int, JetFile] = OrderedDict()

    def __enter__(self) -> "PieceReader":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def read(self, piece: Piece) -> Jets:
        """Give the jets of a piece that the stream's selection takes."""
        stream, file = self._stream, self._file(piece.file)
        assert stream.normalization is not None
        block = file.read(piece.first, piece.stop, EXTRA[stream.feature_set])
        selection = stream.selection
        if piece.count < piece.stop - piece.first:
            block = block.rows(selection.chosen(file, block.classes, block.events))
        codes = selection.class_codes(file.class_names)[block.classes]
        block = replace(block, classes=codes, class_names=stream.class_names)
        return as_tensors(
            file.path, block, stream.max_particles, stream.signal, stream.normalization
        )

    def _file(self, number: int) -> JetFile:
        """Give an open file; the one that was used least recently is closed for it."""
        if number not in self._open:
            if len(self._open) >= OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            self._open[number] = open_jet_file(self._stream.files[number], number)
        self._open.move_to_end(number)
        return self._open[number]
