"""The command line: thin faces over the rooms. Data goes to stdout, everything else to stderr.

`main` is the entry and the only place that turns errors into exit codes; `out` is the only place that prints.
"""
