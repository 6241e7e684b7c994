{{ config(materialized='view') }}

{{ kpis_in_rows(wide=ref('kpi_monthly'), period='month_start') }}
