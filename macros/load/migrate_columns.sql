{% macro migrate_columns(on_schema_change, source=none) %}
    {%- set is_snapshot = model.resource_type == 'snapshot' -%}
    {%- if not execute or load_relation(this) is none
        or not (is_snapshot or is_incremental()) -%}
        {{ return('') }}
    {%- endif -%}

    {#- What is stored, and what the contract wants -#}
    {%- set stored = stored_columns(this) -%}
    {%- set wanted = {} -%}
    {%- for column in model.columns.values() if column.data_type -%}
        {%- set strict = column.constraints
            | selectattr('type', 'equalto', 'not_null') | list -%}
        {%- do wanted.update({column.name: {
            'type': stored_type(column.data_type), 'nullable': not strict,
        }}) -%}
    {%- endfor -%}
    {%- set changes = {
        'added': [], 'removed': [], 'retyped': [], 'loosened': [], 'tightened': [],
    } -%}
    {%- for name, column in wanted.items() -%}
        {%- set was = stored.get(name) -%}
        {%- if was is none -%}
            {%- do changes.added.append(name) -%}
        {%- else -%}
            {%- if was.type != column.type -%}
                {%- do changes.retyped.append(name) -%}
            {%- endif -%}
            {%- if was.nullable != column.nullable -%}
                {%- set how = 'loosened' if column.nullable else 'tightened' -%}
                {%- do changes[how].append(name) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {#- A snapshot can't be rebuilt, so it keeps what it has -#}
    {%- if not is_snapshot -%}
        {%- do changes.removed.extend(stored.keys() | reject('in', wanted)) -%}
    {%- endif -%}
    {%- if not changes.values() | sum(start=[]) -%}
        {{ return('') }}
    {%- endif -%}

    {{- migrate_columns__assert_allowed(
        on_schema_change, source, stored, wanted, changes
    ) -}}
    {{- alter_columns(relation=this, columns=wanted, changes=changes) -}}

    {#- The stored columns are those of the contract now -#}
    {%- set after = stored_columns(this) -%}
    {%- for name, column in wanted.items() if after.get(name) != column -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": column " ~ name ~ " is stored as " ~ after.get(name)
            ~ " and not as its contract says, " ~ column ~ ". Run `./seedbed rebuild "
            ~ model.name ~ "`."
        ) }}
    {%- endfor -%}
    {{ return('') }}
{% endmacro %}

{% macro migrate_columns__assert_allowed(
    on_schema_change, source, stored, wanted, changes
) %}
    {%- if on_schema_change == 'freeze' -%}
        {%- set found = [] -%}
        {%- for kind, names in changes.items() -%}
            {#- What was removed before, and a view shows still, is no change -#}
            {%- for name in names if not name.startswith('_removed_') -%}
                {%- do found.append(name ~ ' ' ~ kind) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- if found -%}
            {{ exceptions.raise_compiler_error(
                model.name ~ " is frozen, but its columns changed in the metadata "
                ~ "seed: " ~ found | join('; ') ~ ". Write the old columns back in "
                ~ "columns.csv; or, if the change is meant, write evolve as its "
                ~ "on_schema_change in tables.csv. Then `./seedbed generate` and "
                ~ "build again."
            ) }}
        {%- endif -%}
    {%- endif -%}
    {%- for name in changes.retyped
        if not widens(stored[name].type, wanted[name].type) -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": column " ~ name ~ " is stored as " ~ stored[name].type
            ~ ", and " ~ wanted[name].type ~ " does not hold each of its values "
            ~ "unchanged. Write the old type back in columns.csv, or give the column "
            ~ "another name there so that the new type starts in a new column."
        ) }}
    {%- endfor -%}
    {%- if source is none -%}
        {{ return('') }}
    {%- endif -%}
    {%- set staged = stored_columns(source) -%}
    {%- for name in changes.added + changes.retyped -%}
        {%- if name in staged and staged[name].type != wanted[name].type -%}
            {{ exceptions.raise_compiler_error(
                model.name ~ ": column " ~ name ~ " is " ~ wanted[name].type
                ~ " in its contract, but still " ~ staged[name].type ~ " in "
                ~ source.identifier ~ ". Build that first: `dbt build --select +"
                ~ model.name ~ "`."
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {#- An added column is NULL in the rows that are there. Where the log has values
        for them (it kept a column that comes back), only a rebuild is right. -#}
    {%- set known = changes.added | select('in', staged) | list -%}
    {%- if known != changes.added or (known and run_query(
        "select 1 from " ~ source ~ " where _batch_seq <= " ~ claimed('after_seq')
        ~ " and (" ~ known | join(' is not null or ') ~ " is not null) limit 1"
    ).rows) -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ " must be rebuilt: " ~ changes.added | join(', ') ~ " was "
            ~ "added to its columns, and the log has values for rows that are built "
            ~ "already. Run `./seedbed rebuild " ~ model.name ~ "`."
        ) }}
    {%- endif -%}
{% endmacro %}
