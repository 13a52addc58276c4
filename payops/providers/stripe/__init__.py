"""Stripe: feeds over `/v1/events`, endpoints, proof of credentials, endpoint enabling and event resend.

`history` is the arithmetic of reading an event list without losing anything, `wire` and `normalise` turn its
JSON into facts, `transport` is the SDK below its objects, `adapter` puts them behind the port.
"""
