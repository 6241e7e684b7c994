{{ config(materialized='view') }}

{{ kpis_in_rows(wide=ref('kpi_daily'), period='kpi_date') }}
