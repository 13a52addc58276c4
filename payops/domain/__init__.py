"""The words of the field as frozen values, and, as data, the tables everything else is drawn from.

Nothing here reads a clock, a file or a socket. Times are aware UTC datetimes, money is integer minor units
with a currency, rates are shares from 0 to 1. Import from the modules: `payops.domain.incidents`, …
"""
