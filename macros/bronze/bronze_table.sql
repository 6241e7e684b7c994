{% macro bronze_table(identifier, columns) %}
    {%- set relation = api.Relation.create(
        database=target.database, schema='bronze', identifier=identifier
    ) -%}
    {%- set definitions = [] -%}
    {%- for column in columns -%}
        {%- do definitions.append(
            column.name ~ ' ' ~ column.type ~ ('' if column.nullable else ' not null')
        ) -%}
    {%- endfor -%}
    {%- do run_query(
        'create table if not exists ' ~ relation ~ ' ('
        ~ definitions | join(', ') ~ ')'
    ) -%}

    {#- A log only ever grows: it gains columns and longer types, and loses none -#}
    {%- set stored = stored_columns(relation) -%}
    {%- set wanted = {} -%}
    {%- set changes = {
        'added': [], 'removed': [], 'retyped': [], 'loosened': [], 'tightened': [],
    } -%}
    {%- for column in columns -%}
        {%- do wanted.update({column.name: column}) -%}
        {%- if column.name not in stored -%}
            {%- do changes.added.append(column.name) -%}
        {%- elif stored[column.name].type != stored_type(column.type) -%}
            {%- do changes.retyped.append(column.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name, column in stored.items()
        if name not in wanted and not column.nullable -%}
        {%- do changes.loosened.append(name) -%}
    {%- endfor -%}
    {%- do alter_columns(relation=relation, columns=wanted, changes=changes) -%}
    {{ return(relation) }}
{% endmacro %}
