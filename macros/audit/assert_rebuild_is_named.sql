{% macro assert_rebuild_is_named(fingerprint) %}
    {%- set exists = load_relation(this) is not none -%}
    {%- set named = model.name in var('rebuild') -%}
    {%- if exists and flags.FULL_REFRESH and not named -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ " was not rebuilt: what is derived from the log is "
            ~ "rebuilt only when it is asked for by name, and --full-refresh names "
            ~ "nothing. Run `./seedbed rebuild " ~ model.name ~ "`; the log holds all it needs."
        ) }}
    {%- endif -%}
    {%- if exists and is_incremental() -%}
        {%- set stored = run_query(
            "select fingerprint from " ~ environment_table('model_claim')
            ~ " where model = '" ~ this.schema ~ "." ~ this.identifier ~ "'"
        ) -%}
        {%- if stored.rows | length > 0 and stored.rows[0][0] != fingerprint -%}
            {{ exceptions.raise_compiler_error(
                model.name ~ " must be rebuilt: its key, tracked columns, cleansing "
                ~ "or load type changed in the metadata seed since it was built, so "
                ~ "new rows would not fit the old ones. Run `./seedbed rebuild "
                ~ model.name ~ "`; the log holds all it needs."
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
