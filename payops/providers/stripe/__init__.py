"""Stripe: payments and all that follows them from one event list, the last day read again, proofs, and actions.

`history` is the arithmetic of reading an event list without losing anything, `lookback` walks the last day's lists,
`wire` holds the fields that are read, `payments`, `billing` and `normalise` turn them into facts, `feeds` says what is
asked. `transport` is the SDK below its objects, `session` holds keys and connection, `proof` judges a key, `actions`
writes and reads back, `adapter` puts them behind the port. `verifier` judges webhooks and needs only the facts.
"""
