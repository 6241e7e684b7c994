"""`python -m ingest`: what the launcher hands over to."""

from ingest.cli import main

if __name__ == "__main__":
    main()
