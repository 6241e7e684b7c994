create table {{ log }} (
    {%- for name, type in columns.items() %}
    {{ name | quoted }} {{ type }}{{ ' not null' if name in strict }}
    {{- ',' if not loop.last }}
    {%- endfor %}
);
{%- if key %}
create index on {{ log }} ({{ key }});
{%- endif %}
-- Batches lie one after the other, so a few pages say where each one is, and where
-- the newest times are, which extraction looks for.
create index on {{ log }} using brin (_batch_seq, _source_ts)
with (pages_per_range = 16, autosummarize = on)
