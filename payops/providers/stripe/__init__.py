"""Stripe: feeds over `/v1/events`, endpoints, proof of credentials, endpoint enabling and event resend.

`history` is the arithmetic of reading an event list without losing anything, `wire` and `normalise` turn its
JSON into facts, `feeds` says what is asked, `transport` is the SDK below its objects, `session` holds keys and
connection, `adapter` puts them behind the port. `verifier` judges webhooks and needs none of these but the facts.
"""
