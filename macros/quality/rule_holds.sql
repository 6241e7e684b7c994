{#- A condition that is unknown because of a NULL does not fail -#}
{% macro rule_holds(rule, joined='') %}
    {%- if rule.pattern is defined -%}
        {%- set found = matching(expression=rule.column, pattern=rule.pattern) -%}
        {%- set holds = rule.column ~ " is null or " ~ found ~ " is not null" -%}
    {%- elif rule.function is defined -%}
        {#-
            The sum and the count of no rows are 0; no value equals their
            minimum
        -#}
        {%- if rule.function in ('sum', 'count') -%}
            {%- set joined = "coalesce(" ~ joined ~ ", 0)" -%}
        {%- endif -%}
        {%- set holds = rule.column ~ " is null or coalesce(" ~ rule.column ~ " = "
            ~ joined ~ ", false)" -%}
    {%- elif rule.parent is defined -%}
        {%- set holds = rule.column ~ " in (select " ~ rule.field ~ " from "
            ~ rule.parent ~ ")" -%}
    {%- else -%}
        {%- set holds = rule.condition -%}
    {%- endif -%}
    {{- return("case when coalesce(" ~ holds ~ ", true) then 1.0 else 0.0 end") }}
{% endmacro %}
