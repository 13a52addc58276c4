"""Every remedy payops knows, by the action a rule names."""

from __future__ import annotations

from .diagnose import Diagnose
from .enable_endpoint import EnableEndpoint
from .resend_missing import ResendMissing
from .results import Remedy
from .switch_credential import SwitchCredential

_ALL: tuple[Remedy, ...] = (EnableEndpoint(), ResendMissing(), SwitchCredential(), Diagnose())
REMEDIES: dict[str, Remedy] = {remedy.action: remedy for remedy in _ALL}
