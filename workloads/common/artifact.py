"""The archive that a Training job makes of a model's folder: model.tar.gz."""

import io
import tarfile
import zlib
from typing import BinaryIO

from common.command import InputError
from common.results import MODEL

ARCHIVE = "model.tar.gz"


def model_in(archive: BinaryIO | bytes, where: str) -> bytes:
    """Take the model out of an archive, or raise InputError."""
    stream = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    try:
        with tarfile.open(fileobj=stream) as members:
            for member in members:
                file = members.extractfile(member) if member.name.removeprefix("./") == MODEL else None
                if file is not None:
                    return file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as problem:
        raise InputError(f"{where}: not readable: {problem}") from None
    raise InputError(f"{where}: {MODEL} is missing")
