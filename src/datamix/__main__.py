"""`python -m datamix`: the same as the command `datamix`; in a run, as a copy of a process that has all loaded."""

import sys

from datamix.project.copies import do_in_copy

status = do_in_copy(sys.argv[1:])
if status is None:
    from datamix.cli import main

    main()
sys.exit(status)
