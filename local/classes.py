"""Makes the archive of the classes that Spark's programs load (`local.spark.CLASSES`), once; called by install.py.

Without it, and where user namespaces are not allowed, Spark's JVM loads each class from its jar, which takes seconds.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from local.container import container_mode
from local.s3 import LocalS3
from local.spark import CLASSES, Host, installed

# What the programs do with Spark, on a few rows: the classes that this loads are those that are kept.
_PROGRAM = """\
import sys
import pandas
from pyspark.sql import SparkSession, functions as sf
spark = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
place = sys.argv[1]
spark.conf.set("spark.sql.ansi.enabled", "true")
lines = spark.range(2000).selectExpr("CONCAT(id, ' GET /p/', id % 7, '?q=a') AS line")
lines.write.option("compression", "gzip").text(f"{place}/text")
read = spark.read.text(f"{place}/text").withColumnRenamed("value", "line")
read.withColumn("file", sf.input_file_name()).createOrReplaceTempView("lines")
parsed = spark.sql(
    "SELECT REGEXP_EXTRACT(line, '^([0-9]+) GET /p/([0-9]+)', 1) AS id, SPLIT_PART(line, ' ', 3) AS path,"
    " MIN(file) AS file, COUNT(*) AS copies FROM lines WHERE line RLIKE '^[0-9]' GROUP BY line"
)
parsed.persist().createOrReplaceTempView("parsed")
parsed.repartition(2).write.parquet(f"{place}/rows")
spark.read.parquet(f"{place}/rows").createOrReplaceTempView("rows")
found = spark.sql(
    "WITH numbered AS (SELECT TRY_CAST(id AS BIGINT) AS id, path, copies,"
    " ROW_NUMBER() OVER (PARTITION BY path ORDER BY id) AS place,"
    " SUM(copies) OVER (PARTITION BY path) AS many FROM rows)"
    " SELECT a.id, a.path, ROUND(LN(CAST(a.id AS DOUBLE) + 1), 6) AS log,"
    " CASE WHEN a.place > 3 THEN 1 ELSE 0 END AS label, COALESCE(b.many, 0) AS many"
    " FROM numbered a LEFT JOIN numbered b ON a.id = b.id AND b.place < 9 ORDER BY a.id"
)
found.persist().createOrReplaceTempView("found")
spark.sql("SELECT path, COUNT(DISTINCT id), AVG(log), MAX(many) FROM found GROUP BY path HAVING COUNT(*) > 1").collect()
spark.table("found").where(sf.col("label") == 1).write.parquet(f"{place}/found")
spark.table("found").write.csv(f"{place}/csv")
twice = sf.pandas_udf(lambda column: column * 2, "double")
spark.table("found").select(twice("log").alias("log")).agg(sf.sum("log")).collect()
spark.table("found").repartition(1).rdd.barrier().mapPartitions(lambda rows: [sum(1 for _ in rows)]).collect()
print(spark.sparkContext._jvm.org.apache.hadoop.fs.Path(place).toUri())
spark.stop()
"""


def main() -> None:
    """Run the program and keep its classes; where that fails Spark starts as slowly as without them."""
    if container_mode() == "directory":
        return
    with tempfile.TemporaryDirectory(dir=CLASSES.parents[1]) as scratch:
        folder = Path(scratch, "step")
        folder.mkdir()
        CLASSES.unlink(missing_ok=True)
        host = Host("classes", folder, Path(scratch))
        env = host.environment(LocalS3(Path(scratch)), {}, {}, installed().folder / "bin" / "python")
        made = folder / CLASSES.name
        env["SPARK_SUBMIT_OPTS"] += f" -XX:ArchiveClassesAtExit={host.seen(made)} -Xlog:cds=off,cds+dynamic=off"
        program = folder / "program.py"
        program.write_text(_PROGRAM)
        command = host.submit([str(host.seen(program)), f"file://{host.seen(folder)}/data"])
        done = subprocess.run(
            command, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        if done.returncode or not made.exists():
            print(f"Spark starts without it, exit code {done.returncode}: {done.stdout[-1000:]}")
            return
        CLASSES.parent.mkdir(exist_ok=True)
        os.replace(made, CLASSES)


if __name__ == "__main__":
    main()
