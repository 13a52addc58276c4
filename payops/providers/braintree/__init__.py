"""Braintree behind the port. Its SDK is imported at the first call."""
