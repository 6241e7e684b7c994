{#-
    Apart, so that a load never waits for a report, and each shows in the bill. They
    sleep after a minute; the monitor stops them when the month's credits are used up.
-#}
{% macro account_warehouses() %}
    {%- set quota = (env_var('SNOWFLAKE_CREDIT_QUOTA', '') or '50') | int -%}
    {%- set sql -%}
-- Warehouses, and a monitor that stops them. Run as ACCOUNTADMIN.
create resource monitor if not exists seedbed with
    credit_quota = {{ quota }}
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 80 percent do notify
        on 100 percent do suspend
        on 110 percent do suspend_immediate;
alter resource monitor seedbed set credit_quota = {{ quota }};
    {%- for purpose in ['load', 'transform', 'report'] %}
    {%- set name = account_name(
        variable='SNOWFLAKE_' ~ purpose | upper ~ '_WAREHOUSE',
        default='seedbed_' ~ purpose,
    ) %}
create warehouse if not exists {{ name }}
    warehouse_size = xsmall
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true;
alter warehouse {{ name }} set
    resource_monitor = seedbed
    statement_timeout_in_seconds = {{ 3600 if purpose == 'report' else 14400 }};
    {%- endfor %}
    {%- endset -%}
    {{- return(sql) }}
{% endmacro %}
