"""A Snowflake to try things on, where no account is at hand.

fakesnow translates Snowflake's SQL to DuckDB and speaks the connector's protocol.
The modules here mend what dbt and Seedbed need and fakesnow lacks, one concern each;
`python -m sandbox.emulator` serves it, in an environment of its own
(`requirements.lock`). It proves wiring and the logic of rows, not that Snowflake
accepts a statement: its dialect is more liberal.
"""
