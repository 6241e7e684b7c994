"""Stand-ins for dbt_utils, so that sqlfluff renders models without dbt."""


def generate_surrogate_key(field_list: list[str]) -> str:
    """Return an expression of the right shape."""
    return f"md5({' || '.join(field_list)})"


def date_spine(datepart: str, start_date: str, end_date: str) -> str:
    """Return a query of the right shape."""
    return f"select {start_date} as date_{datepart}\nwhere {start_date} < {end_date}"
