"""Braintree: feeds over its two-step search, proof of credentials, refunds, captures and collections.

`history` is the arithmetic of reading a search without losing anything, `wire` and `normalise` turn its XML into
facts, `search` asks in two steps, `feeds` and `lists` say what is asked, `transport` is the SDK below its objects,
`session` holds keys and connections, `actions` writes, `adapter` puts them behind the port. `verifier` judges
webhooks and needs none of these but the facts.
"""
