select
    {%- for column in table.key %}
    (row ->> {{ column.name | literal }})::{{ column.type.log }}
        as {{ column.name | quoted }},
    {%- endfor %}
    {{ columns }}
from audit.quarantine
join audit.batch using (table_id, batch_seq)
where
    table_id = {{ table.id | literal }}
    and state = 'released'
    and batch_seq <= {{ through }}
