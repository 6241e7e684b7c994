"""An emulator of Snowflake, for machines without an account.

fakesnow translates Snowflake's SQL to DuckDB and speaks the connector's protocol. The
modules here add what dbt and Seedbed need and fakesnow lacks, one concern each; `python
-m sandbox.emulator` serves it, in a separate environment (`requirements.lock`). It
proves wiring and the logic of rows, not that Snowflake accepts a statement: its dialect
is more liberal.
"""
