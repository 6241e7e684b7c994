{#- What goes with a batch's rows: its state, and what a rejected predecessor left -#}
{%- set here = 'table_id = ' ~ table.id | literal -%}
{%- set rejected -%}
(select batch_seq from audit.batch where {{ here }} and state = 'rejected')
{%- endset -%}
-- Of two loaders that got here the second one waits, and finds it is too late.
do $$
begin
    update audit.batch
    set state = 'loaded', rows_loaded = {{ loaded }}
    where {{ here }} and batch_seq = {{ batch_seq }} and state = 'extracted';
    if not found then
        raise exception 'the batch is no longer extracted';
    end if;
end $$;
delete from {{ log }} where _batch_seq in {{ rejected }};
-- What still fails is kept again, for the batch that reads it again.
delete from audit.quarantine where {{ here }} and batch_seq in {{ rejected }};
update audit.batch set state = 'superseded' where {{ here }} and state = 'rejected';
{%- if table.load_type.reads_whole %}
delete from {{ log }}
where
    _batch_seq < (
        select min(batch_seq)
        from (
            select batch_seq
            from audit.batch
            where {{ here }} and state = 'released' and rows_written > 0
            order by batch_seq desc
            limit {{ [table.options.keep_snapshots, 2] | max - 1 }}
        ) as kept
    );
{%- endif %}
