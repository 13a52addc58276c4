"""`init`, `arm`, `disarm`, `stop`, `resume`: what a person sets."""

from __future__ import annotations

from pathlib import Path

import click

from payops.domain.errors import NotPossible, UsageError

from . import out
from .ask import ask
from .common import config_option, json_option, operator_option

TEMPLATE = """\
# payops reads this file; secrets stay where they are and are only referred to:
#   env:NAME   keyring:SERVICE/USER   file:PATH (mode 0600, relative to this file)
schema = "payops.config/v1"

# Where incidents, facts and the audit chain are kept.
store = "payops.db"

# "observe": every plan is computed and shown as "would have done"; only what `payops arm` armed acts.
# "armed": the [[arm]] entries below act too. `payops disarm` and `payops stop` win over both.
mode = "observe"

# Where webhooks arrive: POST http://HOST:PORT/webhooks/<account>. Put your TLS proxy in front of it.
[receiver]
host = "127.0.0.1"
port = 8787

# Acting needs an identity: start with --operator NAME or set PAYOPS_OPERATOR. Roles: viewer, operator,
# coordinator, security, admin.
[[operators]]
name = "me"
roles = ["operator"]

[[accounts]]
name = "stripe-live"          # how this account is called everywhere
provider = "stripe"
mode = "live"                 # what the key must prove to be
# A restricted key with read access to charges, payment intents, refunds, events, balance and webhook
# endpoints; add write access to webhook endpoints for the remedies. An unrestricted sk_live_ key is refused
# unless you say: accept_unrestricted_key = true
api_key = "env:STRIPE_LIVE_KEY"
# The signing secret of the endpoint below (whsec_…); remove the line if payops receives no webhooks.
webhook_secrets = ["env:STRIPE_LIVE_WHSEC"]
# What your checkout uses: probed with one cheap read, never used for anything else (optional):
# application_credential = "env:SHOP_STRIPE_KEY"
# Tried in order when the key above is rejected; must prove the same account and mode (optional):
# fallback_credentials = [{ api_key = "env:STRIPE_LIVE_KEY_2" }]

[[accounts.endpoints]]
name = "payops"
url = "https://payops.example/webhooks/stripe-live"   # must end in /webhooks/<account name>
topology = "observer"         # payops has its own endpoint beside your application's
# relay: payops receives and forwards (forward_to = "https://…"); import: it reads your application's own inbox
# (source = "sqlite:PATH?view=NAME", or a JSONL file). See docs/webhooks.md.
idempotent = false            # true: events may be re-sent to it without asking

# Braintree has no list of events and no endpoints in its API: webhooks are set up in its Control Panel, and
# their secrets are the same keys. application_credential there is the text merchant_id:public_key:private_key.
# [[accounts]]
# name = "braintree-live"
# provider = "braintree"
# mode = "live"                 # live = production, test = sandbox
# merchant_id = "env:BT_MERCHANT_ID"
# public_key = "env:BT_PUBLIC_KEY"
# private_key = "env:BT_PRIVATE_KEY"

# PayPal: a REST app of its own with the features Webhooks and Transaction Search.
# application_credential there is the text client_id:client_secret.
# [[accounts]]
# name = "paypal-live"
# provider = "paypal"
# mode = "live"
# client_id = "env:PAYPAL_CLIENT_ID"
# client_secret = "env:PAYPAL_CLIENT_SECRET"
# webhook_id = "env:PAYPAL_WEBHOOK_ID"   # the id of the webhook that points at payops; remove it without one

# What the providers say of themselves, as a hint in `payops doctor` (optional):
# [[status_pages]]
# provider = "stripe"
# url = "https://status.stripe.com/current"

# What a unit of a currency is worth, and since when: without it amounts of different currencies are never summed.
# [[rates]]
# currency = "USD"
# worth = 0.92
# in = "EUR"
# date = 2026-01-10

# Announced work: nothing acts and nobody is called, and everything stays in the list (docs/rules.md).
# [[maintenance]]
# name = "nightly import"
# reason = "the ERP reads all orders"
# timezone = "Europe/Vienna"
# start = "01:30"
# end = "03:00"

# [[arm]]
# account = "stripe-live"
# remedies = ["confirm-quarantine", "enable-endpoint", "resend-missing", "switch-credential", "switch-webhook-secret"]
"""


@click.command()
@click.option(
    "--config", "path", default="payops.toml", show_default=True, metavar="FILE", help="Where to write it."
)
def init(path: str) -> None:
    """Write a commented payops.toml that only observes."""
    target = Path(path)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError as error:
        raise UsageError(
            f"{target}: exists already and was not touched; move it away or name another with --config"
        ) from error
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from error
    target.chmod(0o600)
    out.say(
        f"Wrote {target}: it only observes. Braintree and PayPal are in it as comments. Set STRIPE_LIVE_KEY and "
        "STRIPE_LIVE_WHSEC, then: payops doctor; payops run --operator me"
    )


def _switch(
    config_path: str | None, operator: str | None, as_json: bool, action: str, fields: dict[str, str]
) -> None:
    result = ask(config_path, operator, action, None, fields, wait=True)
    if as_json:
        out.document({"ok": result.ok, "message": result.message})
    elif result.ok:
        out.line(result.message)
    if not result.ok:
        raise NotPossible(result.message)


def _arming(action: str, help_: str) -> click.Command:
    @click.command(action, help=help_)
    @click.argument("account")
    @click.argument("remedies", nargs=-1, required=True)
    @click.option("--reason", required=True, help="Why; kept in the audit.")
    @operator_option
    @config_option
    @json_option
    def command(
        account: str,
        remedies: tuple[str, ...],
        reason: str,
        operator: str | None,
        config_path: str | None,
        as_json: bool,
    ) -> None:
        fields = {"account": account, "remedies": " ".join(remedies), "reason": reason}
        _switch(config_path, operator, as_json, action, fields)

    return command


def _stopping(action: str, help_: str) -> click.Command:
    @click.command(action, help=help_)
    @click.option("--reason", default="", help="Why; kept in the audit.")
    @operator_option
    @config_option
    @json_option
    def command(reason: str, operator: str | None, config_path: str | None, as_json: bool) -> None:
        _switch(config_path, operator, as_json, action, {"reason": reason})

    return command


arm = _arming("arm", "Let the named REMEDIES act on ACCOUNT.")
disarm = _arming("disarm", "Take `arm` back; wins over the configuration too.")
stop = _stopping("stop", "Stop everything: no remedy acts until `payops resume`, also after a restart.")
resume = _stopping("resume", "Let armed remedies act again.")
