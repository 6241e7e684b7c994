{% macro assert_columns(macro, columns, key=none, tracked=none) %}
    {%- set call = model.name ~ ": " ~ macro ~ " was called with " -%}
    {%- set lists = {'columns': columns, 'key': key, 'tracked': tracked} -%}
    {%- for name, found in lists.items() if found is not none -%}
        {%- if found is string or found is mapping or found is not sequence -%}
            {{ exceptions.raise_compiler_error(
                call ~ name ~ "=" ~ found ~ ", which is not a list. Write "
                ~ name ~ "=['a_column']."
            ) }}
        {%- endif -%}
        {%- if not found -%}
            {{ exceptions.raise_compiler_error(
                call ~ "an empty list as " ~ name ~ ". " ~ {
                    'columns': "Name the columns of the result.",
                    'key': "Name the columns that tell one row from another.",
                    'tracked': "Name the columns whose change makes a new version; "
                        ~ "where none does, use scd1.",
                }[name]
            ) }}
        {%- endif -%}
        {%- for column in found -%}
            {%- if column in found[:loop.index0] -%}
                {{ exceptions.raise_compiler_error(
                    call ~ "'" ~ column ~ "' twice in " ~ name
                    ~ ". Remove one of the two."
                ) }}
            {%- endif -%}
            {%- if column not in columns -%}
                {{ exceptions.raise_compiler_error(
                    call ~ "'" ~ column ~ "' in " ~ name ~ ", but it is not in "
                    ~ "columns: " ~ columns | join(', ') ~ ". Add it to columns, or "
                    ~ "correct its name."
                ) }}
            {%- endif -%}
            {%- if name == 'tracked' and column in (key or []) -%}
                {{ exceptions.raise_compiler_error(
                    call ~ "the key column '" ~ column ~ "' in tracked. A key never "
                    ~ "changes, it names the row: remove it from tracked."
                ) }}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}
