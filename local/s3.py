"""S3 on the laptop: `s3://bucket/key` is the file `<root>/bucket/key`."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from local.jobs import RequestRefused

_URI = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<key>.*))?")
_URI_IN_TEXT = re.compile(r"s3[an]?://(?P<rest>[^\s,;'\"]*)")


class LocalS3:
    """Buckets are the folders below `root`; an object is a file, and an empty folder is nothing, as in S3."""

    def __init__(self, root: Path) -> None:
        """Keep the buckets below `root`, which is made when it is missing."""
        self.root = root.absolute()
        self.root.mkdir(parents=True, exist_ok=True)

    def path(self, uri: str) -> Path:
        """The file or folder that stands for `uri`.

        Raises RequestRefused, naming the URI, when it is not `s3://bucket/...` or has a segment that a folder cannot
        hold: `.`, `..`, or an empty one (`runs//x` is a legal key in S3 but almost always a broken prefix).
        """
        match = _URI.fullmatch(uri)
        if not match:
            raise RequestRefused(f"{uri!r} is not an S3 location: it must look like s3://bucket/key")
        key = match["key"] or ""
        segments = key.removesuffix("/").split("/") if key else []
        if any(segment in ("", ".", "..") or "\0" in segment for segment in segments):
            raise RequestRefused(f"{uri!r} has an empty, '.' or '..' segment in its key")
        return self.root.joinpath(match["bucket"], *segments)

    def uri(self, path: Path) -> str:
        """The S3 location of a file below the root. Raises ValueError when it is not below the root."""
        try:
            relative = path.absolute().relative_to(self.root)
        except ValueError:
            raise ValueError(f"{path} is not below {self.root}") from None
        if ".." in relative.parts or not relative.parts:
            raise ValueError(f"{path} is not inside a bucket below {self.root}")
        return f"s3://{PurePosixPath(*relative.parts)}"

    def localise(self, text: str, root: Path | None = None) -> str:
        """`text` with every s3:// (s3a://, s3n://) location in it replaced by its file:// location.

        `root` is where its reader sees the buckets, if not where they are. Raises RequestRefused as `path` does.
        """

        def replace(match: re.Match[str]) -> str:
            uri = f"s3://{match['rest']}"
            seen = (root or self.root) / self.path(uri).relative_to(self.root)
            return f"file://{seen}{'/' if uri.endswith('/') else ''}"

        return _URI_IN_TEXT.sub(replace, text)

    def objects(self, prefix: str) -> list[tuple[str, Path]]:
        """Every object whose key starts with `prefix`, sorted by key, each with its name below the prefix.

        As S3 does, `raw/web` matches `raw/web/a` and `raw/website/a`. The name is what follows the prefix when the
        prefix is a folder, the file name when it is an object, else what follows the prefix's last slash.
        """
        path = self.path(prefix)
        if prefix.endswith("/") or path.parent == self.root:
            return [(str(file.relative_to(path)), file) for file in _files(path)]
        found = []
        for sibling in path.parent.glob(_glob_escape(path.name) + "*"):
            base = path if sibling == path and sibling.is_dir() else path.parent
            found += [(str(file.relative_to(base)), file) for file in _files(sibling)]
        return sorted(found, key=lambda item: str(item[1]))

    def upload(self, files: Iterable[tuple[str, Path]]) -> None:
        """Put each (uri, file): all of them or, on any error or interrupt, none of the objects that are new.

        The files are linked or copied to a staging folder of the same file system first, so that what can fail
        (space, permissions) fails before any object appears.
        """
        staging = Path(tempfile.mkdtemp(prefix=".upload-", dir=self.root))  # no bucket name starts with a dot
        new: list[Path] = []
        try:
            staged = []
            for number, (uri, file) in enumerate(files):
                target, copy = self.path(uri), staging / str(number)
                link_or_copy(file, copy)
                staged.append((copy, target))
            for copy, target in staged:
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    new.append(target)
                copy.replace(target)
        except BaseException:
            for target in new:
                self.delete(target)
            raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def delete(self, file: Path) -> None:
        """Delete an object if it is there, and the folders that are empty without it."""
        file.unlink(missing_ok=True)
        for folder in file.parents:
            if folder == self.root or folder.parent == self.root:
                return
            try:
                folder.rmdir()
            except OSError:
                return


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    # A bucket may hold a link to a folder of data that is kept elsewhere.
    return sorted(Path(folder, name) for folder, _, names in os.walk(path, followlinks=True) for name in names)


def _glob_escape(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def link_or_copy(source: Path, target: Path) -> None:
    """Make a new file with the content of another: a second name for it where the file system allows."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
