"""Every remedy payops knows, by the action a rule names."""

from __future__ import annotations

from .billing import AttachPaymentMethod, FinalizeInvoice
from .confirm_quarantine import ConfirmQuarantine
from .diagnose import Diagnose
from .enable_endpoint import EnableEndpoint
from .explain_forwarding import ExplainForwarding
from .giving_back import RefundDuplicate, ReissueRefund
from .list_objects import ListObjects
from .moving import Moves
from .observe import Observe
from .reconcile_missing import ReconcileMissing
from .resend_missing import ResendMissing
from .results import Remedy
from .subscribe_types import SubscribeTypes
from .switch_credential import SwitchCredential
from .switch_webhook_secret import SwitchWebhookSecret
from .taking import CaptureAuthorization, CollectOnce
from .update_url import UpdateUrl

_ALL: tuple[Remedy, ...] = (
    EnableEndpoint(),
    ResendMissing(),
    ReconcileMissing(),
    UpdateUrl(),
    SubscribeTypes(),
    SwitchCredential(),
    SwitchWebhookSecret(),
    ConfirmQuarantine(),
    Diagnose(),
    Observe(),
    Moves(RefundDuplicate()),
    Moves(ReissueRefund()),
    Moves(CaptureAuthorization()),
    Moves(CollectOnce()),
    Moves(AttachPaymentMethod()),
    Moves(FinalizeInvoice()),
    ListObjects(),
    ExplainForwarding(),
)
REMEDIES: dict[str, Remedy] = {remedy.action: remedy for remedy in _ALL}
