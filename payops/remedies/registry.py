"""Every remedy payops knows, by the action a rule names."""

from __future__ import annotations

from .confirm_quarantine import ConfirmQuarantine
from .diagnose import Diagnose
from .enable_endpoint import EnableEndpoint
from .observe import Observe
from .resend_missing import ResendMissing
from .results import Remedy
from .switch_credential import SwitchCredential
from .switch_webhook_secret import SwitchWebhookSecret

_ALL: tuple[Remedy, ...] = (
    EnableEndpoint(),
    ResendMissing(),
    SwitchCredential(),
    SwitchWebhookSecret(),
    ConfirmQuarantine(),
    Diagnose(),
    Observe(),
)
REMEDIES: dict[str, Remedy] = {remedy.action: remedy for remedy in _ALL}
