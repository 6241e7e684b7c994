"""Takes a recipe through DataHub's own reader; prints its complaints as JSON.

Run by the Python of `.venv/datahub`: `check.py RECIPE SINK`. What DataHub's server
would get goes to the file SINK. Nothing is merged with what a server has, as there is
none.
"""

import json
import sys

import yaml
from datahub.ingestion.run.pipeline import Pipeline


def main(recipe: str, sink: str) -> None:
    """Run the recipe, but for its sink."""
    with open(recipe) as file:
        config = yaml.safe_load(file)
    config["sink"] = {"type": "file", "config": {"filename": sink}}
    config["source"]["config"]["write_semantics"] = "OVERRIDE"
    pipeline = Pipeline.create(config)
    pipeline.run()
    report = pipeline.source.get_report()
    found = {
        "failures": [str(one) for one in report.failures],
        "warnings": [str(one) for one in report.warnings],
    }
    print("found:" + json.dumps(found))


main(*sys.argv[1:])
