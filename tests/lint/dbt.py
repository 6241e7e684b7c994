"""Stand-ins for dbt's own expressions, so that sqlfluff renders models without it."""


def dateadd(datepart: str, interval: object, from_date: str) -> str:
    """Return an expression of the right shape."""
    return f"({from_date} + interval '{interval} {datepart}')"


def datediff(first_date: str, second_date: str, datepart: str) -> str:
    """Return an expression of the right shape."""
    return f"({second_date} - {first_date})"
