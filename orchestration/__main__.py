"""`python -m orchestration`: what the launcher hands over to."""

from orchestration.cli import main

if __name__ == "__main__":
    main()
