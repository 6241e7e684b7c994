"""dlt's way of moving a table: run by a virtual environment that holds dlt.

`python dlt_peer.py BACKEND TABLE [FORMAT]`; BENCH_SOURCE and BENCH_WAREHOUSE are URLs.
"""

import os
import sys

import dlt  # type: ignore[import-not-found]
from dlt.sources.sql_database import sql_table  # type: ignore[import-not-found]

backend, name, *file_format = sys.argv[1:]
source = os.environ["BENCH_SOURCE"]
# To MySQL a schema is what the URL names.
options: dict[str, object] = {}
if not source.startswith("mysql"):
    options["schema"] = "shop"
if backend == "connectorx":  # which knows no other driver's URL
    options["backend_kwargs"] = {"conn": source, "return_type": "arrow_stream"}
table = sql_table(
    source.replace("mysql:", "mysql+pymysql:"), table=name, backend=backend, **options
)
destination = dlt.destinations.postgres(os.environ["BENCH_WAREHOUSE"])
pipeline = dlt.pipeline("bench", destination=destination, dataset_name="peer")
# Parquet goes to Postgres by ADBC, two to three times as fast as its INSERT or CSV.
asked = {"loader_file_format": file_format[0]} if file_format else {}
done = pipeline.run(table, write_disposition="replace", **asked)
done.raise_on_failed_jobs()
