select *
from bronze.test__things
where _batch_seq <= {{ released_through('test.things') }}
