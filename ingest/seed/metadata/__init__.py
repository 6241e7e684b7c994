"""The metadata seed: its one reader and its one validator.

`load()` reads the files of `seeds/metadata/`, checks them as a whole and
returns typed tables, or raises `MetadataError` with all faults but those that
follow from others. No later step sees a name or a value that was not checked here.
`names` are safe in both warehouses, `model` is what all others work with, `rows` are
those of the files, `reader` makes the model of them, `checks` are about whole tables.
"""

from ingest.seed.metadata.model import HARMLESS as HARMLESS
from ingest.seed.metadata.model import PII_CLASSES as PII_CLASSES
from ingest.seed.metadata.model import UNDECIDED as UNDECIDED
from ingest.seed.metadata.model import Column as Column
from ingest.seed.metadata.model import Rule as Rule
from ingest.seed.metadata.model import Source as Source
from ingest.seed.metadata.model import Table as Table
from ingest.seed.metadata.names import RESERVED as RESERVED
from ingest.seed.metadata.names import faults_of_source as faults_of_source
from ingest.seed.metadata.names import target_name as target_name
from ingest.seed.metadata.names import words as words
from ingest.seed.metadata.reader import enabled as enabled
from ingest.seed.metadata.reader import load as load
from ingest.seed.metadata.reader import load_row_access as load_row_access
from ingest.seed.metadata.reader import load_sources as load_sources
from ingest.seed.metadata.rows import FOLDER as FOLDER
from ingest.seed.metadata.rows import HEADERS as HEADERS
from ingest.seed.metadata.rows import MetadataError as MetadataError
