"""`python -m cli`, the same as `ponder`."""

from cli.main import main

main()
