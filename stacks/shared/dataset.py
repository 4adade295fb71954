"""The dataset as the stacks see it: its definition, and where its raw tables lie."""

import hashlib

from common.command import InputError
from common.dataset import Dataset
from stacks.settings import DATASETS, Settings
from stacks.shared.layout import raw_prefix


class RawDataset:
    """The chosen dataset.

    A generated one lies in our bucket, in a folder named after everything that decides its content: another scale,
    seed or generator writes another folder, and never into a folder that a run reads. One of the user's own is read
    where it lies.

    Raises InputError when the dataset's folder lacks a part or its definition is wrong.
    """

    def __init__(self, settings: Settings, bucket: str) -> None:
        chosen = settings.dataset
        folder = DATASETS / chosen.name
        self.definition = Dataset.load(folder)
        self.generated = chosen.location is None
        if self.generated and not (folder / "generate.py").is_file():
            raise InputError(
                f"dataset.name={chosen.name!r}: {folder.name}/ has no generate.py; "
                "set dataset.location to where its raw tables lie"
            )
        digest = hashlib.sha256(f"{chosen.events} {chosen.seed}".encode())
        if self.generated:
            for decisive in ("dataset.toml", "generate.py"):
                digest.update((folder / decisive).read_bytes())
        self.folder = f"{chosen.name}-{chosen.events}-{digest.hexdigest()[:8]}"
        self.raw = chosen.location or raw_prefix(bucket, self.folder)

    def check_length(self, below: str, longest: int, where: str) -> None:
        """Check that a location below an own dataset's is no longer than what names it takes, or raise InputError."""
        if not self.generated and len(self.raw) + len(below) > longest:
            raise InputError(
                f"dataset.location={self.raw!r} has {len(self.raw)} characters; {where} takes {longest - len(below)}"
                + (f", since {below} comes after it" if below else "")
            )
