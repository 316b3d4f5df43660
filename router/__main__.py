"""`python -m router`, and the console script."""

from router.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
