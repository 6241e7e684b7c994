"""`python -m orchestration`: what the launcher hands over to."""

from ingest import roomy


def main() -> None:
    """Import the command line, and run it."""
    from orchestration import cli

    cli.main()


if __name__ == "__main__":
    roomy.run(main)
