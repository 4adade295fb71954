"""The raw tables in the Glue catalog, for whoever looks at them with Athena, Hive or Spark SQL."""

from collections.abc import Mapping

from aws_cdk import Aws
from aws_cdk import aws_glue as glue
from constructs import Construct

from stacks.settings import Settings
from stacks.shared.dataset import RawDataset

# SQL types of a dataset's definition that Glue calls otherwise.
_GLUE_TYPES = {
    "VARCHAR": "string",
    "BLOB": "binary",
    "BOOLEAN": "boolean",
    "DOUBLE": "double",
    "BIGINT": "bigint",
    "INTEGER": "int",
}


class Tables(Construct):
    """A Glue database with the dataset's tables."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings, dataset: RawDataset) -> None:
        super().__init__(scope, construct_id)
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=f"{settings.project.replace('-', '_')}_{settings.dataset.name}",
                description=dataset.definition.description,
            ),
        )
        for table in dataset.definition.tables:
            self._table(database, table.name, table.format, dataset.raw + table.location, table.columns)

    def _table(
        self, database: glue.CfnDatabase, name: str, table_format: str, location: str, columns: Mapping[str, str]
    ) -> None:
        text = table_format == "text"
        hive = "org.apache.hadoop.hive.ql.io"
        columns = {"line": "STRING"} if text else columns
        table = glue.CfnTable(
            self,
            f"Table{name.capitalize()}",
            catalog_id=Aws.ACCOUNT_ID,
            database_name=database.ref,
            table_input=glue.CfnTable.TableInputProperty(
                name=name,
                table_type="EXTERNAL_TABLE",
                parameters={"classification": "text" if text else "parquet"},
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=location,
                    columns=[
                        glue.CfnTable.ColumnProperty(name=column, type=_GLUE_TYPES.get(sql_type, sql_type.lower()))
                        for column, sql_type in columns.items()
                    ],
                    input_format="org.apache.hadoop.mapred.TextInputFormat"
                    if text
                    else f"{hive}.parquet.MapredParquetInputFormat",
                    output_format=f"{hive}.HiveIgnoreKeyTextOutputFormat"
                    if text
                    else f"{hive}.parquet.MapredParquetOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
                        if text
                        else f"{hive}.parquet.serde.ParquetHiveSerDe",
                        # One column a line: the separator is a byte that no log line holds.
                        parameters={"field.delim": "\u0001"} if text else {},
                    ),
                ),
            ),
        )
        table.add_dependency(database)
