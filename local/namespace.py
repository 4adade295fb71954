"""A command's own mounts, network and host name, without docker: Linux namespaces, as root or as an ordinary user.

The command sees the folders of this machine, but for those that are mounted for it; its network is a loopback device
and nothing else, as a subnet without a way out; nothing of that is seen outside, and it ends with the command.

`command` wraps a command so that it starts there. This file is also the first process in the namespaces, which sets
them up and becomes the command: it is run by the path, so it imports nothing of this project.
"""

import asyncio
import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# linux/mount.h, linux/sockios.h, linux/if.h
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_RDONLY = 32, 4096, 16384, 1
# In a user namespace a remount must keep these as the machine has them (mount_namespaces(7)).
_KEPT = {os.ST_NOSUID: 2, os.ST_NODEV: 4, os.ST_NOEXEC: 8, os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048, 4096: 1 << 21}
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def command(
    command: Sequence[str],
    *,
    scratch: Path,
    host: str,
    mounts: Mapping[str, Path],
    read_only: Sequence[Path] = (),
    listener: int | None = None,
    port: int = 8080,
    addresses: Mapping[str, str] | None = None,
) -> list[str]:
    """The command that starts `command` in namespaces of its own.

    `host` is its host name, which resolves to 127.0.0.1. `mounts` says which folder or file of this machine is seen at
    an absolute path, which need not exist here; `read_only` are folders of this machine that it cannot write to.
    `scratch` is a folder for what that needs. `listener` is the file descriptor of a socket that listens outside, to be
    passed on: what connects to it talks to `port` inside. With `addresses`, of hosts by their names, `host` is one of
    several and resolves them all: the command must be started in the network that they share (`shared_network`).
    """
    hosts = scratch / "hosts"
    named = addresses or {host: "127.0.0.1"}
    lines = [f"{address} {name}\n" for name, address in named.items()]
    hosts.write_text("".join(["127.0.0.1 localhost\n::1 localhost\n", *lines]))
    staging = scratch / "mnt"
    staging.mkdir(exist_ok=True)
    specification = {
        "staging": str(staging),
        "host": host,
        "mounts": {**{path: str(source) for path, source in mounts.items()}, "/etc/hosts": str(hosts)},
        "read_only": [str(path) for path in read_only],
        "relay": None if listener is None else [listener, port],
    }
    own = ["--mount", "--uts"] if addresses else ["--map-root-user", "--mount", "--net", "--uts"]
    return [*_unshare(*own), *(sys.executable, "-I", "-S", __file__, json.dumps(specification), *command)]


def shared_network(command: Sequence[str]) -> list[str]:
    """The command that starts `command` in a network namespace, for hosts that share it.

    Its loopback device carries all of 127.0.0.0/8: each host has an address of its own.
    """
    return [*_unshare("--map-root-user", "--net"), *command]


def _unshare(*options: str) -> list[str]:
    return [shutil.which("unshare") or "unshare", *options]


def main(specification: str, *command: str) -> None:
    """Set the namespaces up, then become the command. Exit code 127: it is not there."""
    wanted = json.loads(specification)
    network_up()
    socket.sethostname(wanted["host"])
    mounts = Mounts(Path(wanted["staging"]))
    for path in wanted["read_only"]:
        mounts.make_read_only(Path(path))
    for path, source in wanted["mounts"].items():
        mounts.bind(Path(source), Path(path))
    if wanted["relay"]:
        listener, port = wanted["relay"]
        if os.fork() == 0:
            os.closerange(0, 3)
            asyncio.run(relay(socket.socket(fileno=listener), port))
            os._exit(0)
        os.close(listener)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)


class Mounts:
    """Changes what this process sees of the file system."""

    def __init__(self, staging: Path) -> None:
        """`staging` is an empty folder."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._staging = staging
        self._rebuilt: set[Path] = set()

    def bind(self, source: Path, path: Path) -> None:
        """Show a folder or file at a path, with all that is mounted in it."""
        path = Path(os.path.realpath(path))
        if not path.exists():
            self._make_room(path, folder=source.is_dir())
        self._mount(str(source), path, _MS_BIND | _MS_REC)

    def make_read_only(self, folder: Path) -> None:
        """Refuse to write to a folder."""
        self._mount(str(folder), folder, _MS_BIND | _MS_REC)
        found = os.statvfs(folder).f_flag
        kept = sum(flag for seen, flag in _KEPT.items() if found & seen)
        self._mount(None, folder, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)

    def _make_room(self, path: Path, folder: bool) -> None:
        """Make a path that is not there without touching the machine: on a copy of its parent in memory."""
        parent = path.parent
        while not parent.exists():
            parent = parent.parent
        if not any(parent.is_relative_to(rebuilt) for rebuilt in self._rebuilt):
            self._rebuild(parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        if folder:
            path.mkdir()
        else:
            path.touch()

    def _rebuild(self, folder: Path) -> None:
        """Replace a folder by one in memory that shows the same entries."""
        copy = self._staging / str(len(self._rebuilt))
        copy.mkdir(exist_ok=True)
        self._mount("tmpfs", copy, 0, "tmpfs")
        for entry in folder.iterdir():
            if entry.is_symlink():
                (copy / entry.name).symlink_to(entry.readlink())
            elif entry.is_dir():
                (copy / entry.name).mkdir()
                self._mount(str(entry), copy / entry.name, _MS_BIND | _MS_REC)
            elif entry.exists():
                (copy / entry.name).touch()
                self._mount(str(entry), copy / entry.name, _MS_BIND)
        self._mount(str(copy), folder, _MS_BIND | _MS_REC)
        self._rebuilt.add(folder)

    def _mount(self, source: str | None, target: Path, flags: int, kind: str | None = None) -> None:
        texts = [text and os.fsencode(text) for text in (source, str(target), kind)]
        if self._libc.mount(*texts, ctypes.c_ulong(flags), None):
            number = ctypes.get_errno()
            raise OSError(number, f"mount of {source}: {os.strerror(number)}", str(target))


def network_up() -> None:
    """Bring the loopback device up; a new network namespace has it down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(control, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


async def relay(listener: socket.socket, port: int) -> None:
    """Hand every connection to a socket, which may be of another network, on to a port of this one."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_server = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, to_server[1]), pump(to_server[0], writer))
        for end in (writer, to_server[1]):
            end.close()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy one direction to its end; the other may go on."""
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            writer.close()

    server = await asyncio.start_server(connect, sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
