"""`python -m datamix`: the same as the command `datamix`."""

from datamix.cli import main

main()
