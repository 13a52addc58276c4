"""A world of customers, cards and payments behind a server that speaks Stripe's wire protocol.

It shares no judgement with the program it tests: of ours it imports the domain's values, the clock and the
text border, never `domain.decline`. Import from the modules: `scenario` (files), `world` (what happens),
`server` (the APIs), `deliverer` (webhooks), `ledger` (the books), `serve` (all of it in real time).
"""
