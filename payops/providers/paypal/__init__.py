"""PayPal: payments from its event list, filled up from reporting; webhooks judged by certificate.

There is no list of orders, captures or refunds, and a declined wallet payment leaves no trace: what is not in an
event, in reporting or in an object read by id is not known here, and nothing is guessed in its place.

`transport` is the SDK's generic client, hardened; `session` holds credentials and connections. `wire`, `fields`,
`amounts`, `payments`, `agreements` and `normalise` turn its JSON into facts; `windows` is the arithmetic of reading an event list without losing
anything. `listing`, `undelivered`, `reporting` and `feeds` say what is asked, `actions` what is written and read
back, `proving` what a credential is. `adapter` puts them behind the port. `verifier` judges webhooks, with the
certificates that `certificates` fetches and trusts.
"""
