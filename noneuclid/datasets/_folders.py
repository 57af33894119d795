"""Where the jet files of a path lie, and what its splits are called."""

from pathlib import Path

from noneuclid.datasets.jet_files import SUFFIXES, JetFileError

# what the parts are called by those who publish data; JetClass has train_100M, val_5M, test_20M
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


def jet_files_in(path: Path, split: str | None = None) -> list[Path]:
    """Find the files to read: the file itself, those of a folder, or of one split of a folder.

    Raises:
        JetFileError: There is no jet file or no such split.
    """
    if path.is_file() or not path.exists():
        if split is not None and path.exists() and path.stem != split:
            raise JetFileError(f"{path} is one file and has no split {split!r}: give its folder")
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if split is not None:
        if (path / split).is_dir():
            return jet_files_in(path / split)
        chosen = [file for file in files if file.stem == split]
        if not chosen:
            found = ", ".join(file.stem for file in files[:10]) or "no jet file"
            raise JetFileError(f"{path} has no split {split!r}: it holds {found}")
        files = chosen
    if not files:
        raise JetFileError(f"{path} holds no jet files: expected {', '.join(SUFFIXES)}")
    return files


def named_splits(path: Path) -> dict[str, list[Path]]:
    """Find the splits that a folder names, by file (``train.h5``) or subfolder (``val_5M``).

    Returns:
        The files of "train", "validation" and "test", of those that are there; empty where the
        folder names none.
    """
    found: dict[str, list[Path]] = {}
    if not path.is_dir():
        return found
    for name, words in SPLIT_NAMES.items():
        here = [
            entry
            for entry in sorted(path.iterdir())
            if (entry.is_dir() or entry.suffix in SUFFIXES)
            and entry.stem.lower().split("_")[0] in words
        ]
        files = [file for entry in here for file in jet_files_in(entry)]
        if files:
            found[name] = files
    return found
