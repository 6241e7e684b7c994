{% macro fingerprints(relations, by='') %}
    {%- set queries = [] -%}
    {%- for relation in relations -%}
        {%- do queries.append(fingerprint(
            relation=api.Relation.create(
                database=target.database,
                schema=generate_schema_name(relation.layer, none) | trim,
                identifier=relation.name,
            ),
            columns=relation.columns,
            key=relation.key,
            by=by,
            buckets=relation.buckets,
        )) -%}
    {%- endfor -%}
    {{- return(tojson(queries)) }}
{% endmacro %}
