"""The only SQL. One SQLite file in WAL mode; nothing reaches it unredacted.

`Store` opens the file (creating and migrating it) and hands out one connection per thread. Its parts are
`facts`, `inbox`, `incidents`, `rules`, `commands`, `audit`, `leases` and `switches`; each owns its tables.
"""
