"""`Engine.tick(now)` drives everything: due polls, inbox, signals, rules, remedies, escalation, the board.

`polls` decides which feeds are due and runs them, stepwise or live; `commands` carries out what people ask
for; `boards` turns the store into the picture faces show; `host` runs ticks in real time under the lease.
"""
