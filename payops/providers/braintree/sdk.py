"""The Braintree SDK, which has no types, imported without the warning it gives about itself."""

from __future__ import annotations

import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import braintree
    from braintree.exceptions.braintree_error import BraintreeError
    from braintree.util.http import Http as _Http

__all__ = ["BraintreeError", "BraintreeGateway", "Configuration", "Environment", "Http"]

_names: Any = braintree
BraintreeGateway: Any = _names.BraintreeGateway
Configuration: Any = _names.Configuration
Environment: Any = _names.Environment
Http: Any = _Http
