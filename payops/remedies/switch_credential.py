"""`switch-credential`: fall back to a stored monitor credential that proves the same account and the same mode.

It may do no more than the one before: what is not allowed to one key is not let in by another.
It restores payops's sight. The application's own key is another matter, and every handoff says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from payops.config import AccountSettings
from payops.domain.errors import PayopsError, ProviderError
from payops.domain.events import CredentialProof
from payops.domain.payments import Provider
from payops.domain.plans import Plan, Refusal
from payops.store import Store
from payops.text import mask, safe_line

from .journal import Journal
from .places import place, slot_in
from .results import Applied, Checked, Context, Ended, Result, Unknown

SWITCH = "switch"
UNRESTRICTED = "sk_"
"""How a Stripe key begins that may do everything; Stripe does not tell what a restricted one may."""
FIELDS: Mapping[Provider, tuple[str, ...]] = {
    "stripe": ("api_key",),
    "braintree": ("public_key", "private_key", "merchant_id"),
    "paypal": ("client_id", "client_secret"),
}
"""What a credential is made of; the first names it, masked, to a person."""


class SwitchCredential:
    """The change is in our own store; one cheap read proves it, and the undo is the credential used before."""

    id = "switch-credential"
    action = "credentials.switch"

    def plan(self, context: Context) -> Plan | Refusal:
        account, store = context.account, context.store
        current = store.facts.active_slot(account.name)
        others = [slot for slot in range(account.slots) if slot != current]
        if not others:
            return Refusal(
                f"no other credential is stored for {account.name}: create one at the provider and add it "
                "to fallback_credentials"
            )
        in_use = store.facts.proof(account.name)
        identity = known_identity(context)
        against = []
        for slot in others:
            fault, proof = _try(context, slot, current, identity)
            if fault is None and proof is not None:
                hint = in_use.hint if in_use else "the one in use"
                return Plan(
                    remedy=self.id,
                    action=self.action,
                    effect="reversible",
                    steps=(
                        f"monitor with {proof.hint} ({place(slot)}) instead of {hint} ({place(current)}): it proved "
                        f"{proof.identity or 'an account that is not named'} in {proof.mode} mode"
                        f"{f' ({proof.request_id})' if proof.request_id else ''}",
                        "read once with it to prove it",
                    ),
                    targets=1,
                    undo=f"monitor with {hint} ({place(current)}) again",
                    data={"to": slot, "from": current, "identity": proof.identity},
                )
            against.append(f"{place(slot)}: {fault}")
        return Refusal(
            f"no stored credential of {account.name} proves the same account and mode: {'; '.join(against)}"
        )

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        to, before = slot_in(plan, "to"), slot_in(plan, "from")
        in_use = context.store.facts.active_slot(context.account.name)
        if in_use not in (to, before):
            return Ended("refused", f"{place(in_use)} is in use by now: the plan does not hold")
        if journal.at("switched_at") is None:
            context.permit()
            if journal.doing is None:
                journal.begin(SWITCH)
            with context.store.write():
                if in_use != to:
                    context.store.facts.set_active_slot(context.account.name, to, context.now)
                journal.finish(took_effect=True, switched_at=context.now)
        context.provider.use_slot(to)
        try:
            proof = context.provider.prove(to, context.now)
        except ProviderError as error:
            return Unknown(
                f"switched to {place(to)}; its proof was not answered: {error.bucket}, {error.message}"
            )
        context.store.facts.save_proof(proof)
        fault = _fault(proof, context, known_identity(context))
        if fault is None:
            ids = (proof.request_id,) if proof.request_id else ()
            journal.finish(ids)
            return Applied(f"switched the monitor credential to {proof.hint} ({place(to)}), {_proved(proof)}")
        context.store.facts.set_active_slot(context.account.name, before, context.now)
        context.provider.use_slot(before)
        return Ended("not_verified", f"{place(to)}: {fault}; undone: {place(before)} is in use again")

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        return context.store.facts.active_slot(context.account.name) == slot_in(plan, "to")

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        proof = context.provider.prove(slot_in(plan, "to"), context.now)
        context.store.facts.save_proof(proof)
        fault = _fault(proof, context, known_identity(context))
        if fault is not None:
            return Checked(False, fault)
        return Checked(True, f"{proof.hint} {_proved(proof)}")


def remember_identity(store: Store, account: AccountSettings) -> None:
    """Keep whose account the configured credential proved and what it may do: a rejected one no longer says so."""
    proof = store.facts.proof(account.name, 0)
    if proof is None or not proof.ok or proof.identity is None or proof.mode != account.mode:
        return
    kept = {_meta(account): proof.identity}
    if proof.permissions is not None:
        kept[_allowed(account)] = json.dumps(sorted(proof.permissions))
    for name, value in kept.items():
        if store.switches.meta_get(name) != value:
            store.switches.meta_set(name, value)


def known_identity(context: Context) -> str | None:
    """The provider's id of this account, None while no credential has proved it."""
    return context.store.switches.meta_get(_meta(context.account))


def known_permissions(context: Context) -> frozenset[str] | None:
    """What the configured credential may do; None where the provider does not tell."""
    kept = context.store.switches.meta_get(_allowed(context.account))
    return None if kept is None else frozenset(json.loads(kept))


def _meta(account: AccountSettings) -> str:
    return f"identity:{account.name}"


def _allowed(account: AccountSettings) -> str:
    return f"permissions:{account.name}"


def _try(
    context: Context, slot: int, current: int, identity: str | None
) -> tuple[str | None, CredentialProof | None]:
    """Why this stored credential cannot take over, None when it can, and what it proved."""
    try:
        secret, in_use = _secrets(context, slot), _secrets(context, current)
    except PayopsError as error:
        return str(error), None
    if secret is None:
        return "it holds no whole credential to monitor with", None
    if secret == in_use:
        return f"it is the same key as the one in use ({mask(secret[0])})", None
    if secret[0].startswith(UNRESTRICTED) and not (in_use and in_use[0].startswith(UNRESTRICTED)):
        return f"{mask(secret[0])} is unrestricted: it may do more than the one in use", None
    try:
        proof = context.provider.prove(slot, context.now)
    except PayopsError as error:
        return str(error), None
    return _fault(proof, context, identity), proof


def _secrets(context: Context, slot: int) -> tuple[str, ...] | None:
    """The secrets of one stored credential; None when one of them is not stored."""
    stored = context.account.credential(slot)
    references = [getattr(stored, field) for field in FIELDS[context.account.provider]]
    return None if None in references else tuple(context.secrets(each) for each in references)


def _fault(proof: CredentialProof, context: Context, identity: str | None) -> str | None:
    if not proof.ok:
        return f"{proof.hint} is not accepted ({proof.code or proof.error or proof.message})"
    if proof.mode is None:
        return f"{proof.hint} does not prove a mode"
    if proof.mode != context.account.mode:
        return f"{proof.hint} is a {proof.mode} credential, the account is {context.account.mode}"
    if identity is None:
        return (
            f"{proof.hint} proves {proof.identity or 'no account'}, but the configured credential never proved whose "
            "account this is: compare them at the provider"
        )
    if proof.identity != identity:
        return (
            f"{proof.hint} belongs to {proof.identity or 'an account that is not named'}, not to {identity}"
        )
    allowed = known_permissions(context)
    wider = sorted(set(proof.permissions or ()) - allowed) if allowed is not None else []
    if wider:
        return f"{proof.hint} may do more than the configured one: {safe_line(', '.join(wider))}"
    return None


def _proved(proof: CredentialProof) -> str:
    return f"proved {proof.mode} mode of {proof.identity or 'its account'} at {proof.at:%H:%M:%S} UTC"
