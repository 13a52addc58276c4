"""`payops doctor`: everything about an account that can be wrong before a payment is, looked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from payops.clock import Now
from payops.config import AccountSettings, EndpointSettings, Settings
from payops.domain.abilities import CANNOT
from payops.domain.api_versions import READS, differ
from payops.domain.errors import NotPossible, ProviderError, UsageError
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import AccountState, ApiCall, CredentialProof, Endpoint
from payops.domain.payments import OTHER_MODE, Mode
from payops.providers.port import APPLICATION, Provider
from payops.providers.statuspages import StatusPage, read_page
from payops.remedies.probe import UrlProbe
from payops.signals import signatures
from payops.signals.words import minutes, plural
from payops.store import Store
from payops.text import safe_line

from .findings import Examined, Finding
from .tls import Certificate

SKEW_S = 30
"""A clock this far off breaks signatures' tolerance windows and the order of events."""
SOON_DAYS = 14
FAILED = 3
"""So many signatures that fail since the last good one are no accident."""
RECENT_S = 60
_LATE: dict[str, str] = {
    "stripe": "after 5 minutes, or a restart, an event's signature is too old or gone: without resign_secret an "
    "application that verifies refuses it",
    "braintree": "after a restart an event that still waits is lost: Braintree cannot send it again",
    "paypal": "after a restart an event that still waits is fetched without PayPal's signature: an application that "
    "verifies refuses it",
}


@dataclass(frozen=True, slots=True)
class Tools:
    """How the doctor looks at the world outside the provider's API."""

    probe: UrlProbe
    certificate: Callable[[str, datetime], Certificate]
    inbox: Callable[[EndpointSettings, datetime], str | None]
    """What is wrong with an application's own inbox, None when it can be read."""
    pages: Sequence[StatusPage] = ()
    secrets: Callable[[str], str] | None = None
    """What a reference stands for; None = not looked up here."""
    store: Store | None = None
    """What reached payops so far; None = there is no store yet."""


def examine(
    settings: Settings,
    providers: Mapping[str, Provider | UsageError],
    names: Iterable[str],
    now: Now,
    tools: Tools,
    progress: Callable[[str], None] = lambda account: None,
) -> list[Examined]:
    """Look at the named accounts, one after the other; reads only. `progress` hears which one is looked at.

    An account whose adapter could not be opened is told as such; it keeps no other from being looked at.
    """
    found = []
    for name in names:
        progress(name)
        account, provider = settings.account(name), providers[name]
        if isinstance(provider, UsageError):
            todo = "correct the reference, or store the secret it names"
            said = Finding("monitor credential", "wrong", safe_line(str(provider), limit=400), todo)
            found.append(Examined(account.name, account.provider, account.mode, None, (said,)))
            continue
        found.append(_Doctor(account, provider, now, tools).examine())
    return found


class _Doctor:
    """Looks at one account."""

    def __init__(self, account: AccountSettings, provider: Provider, now: Now, tools: Tools) -> None:
        self._account = account
        self._provider = provider
        self._now = now
        self._tools = tools
        self._findings: list[Finding] = []
        self._state: AccountState | None = None
        self._usable = False
        self._known: tuple[Endpoint, ...] | None = None
        self._calls: tuple[ApiCall, ...] = ()

    def examine(self) -> Examined:
        account = self._account
        proofs = [self._credential(slot) for slot in range(account.slots)]
        self._same_account(proofs)
        if account.application_credential is not None:
            self._credential(APPLICATION)
        else:
            self._add(
                "application credential",
                "unknown",
                "none is configured: the application's key was not verified",
            )
        monitor = proofs[0]
        # What a refused credential, or one of the other mode, reads is about nothing that is asked here.
        self._usable = monitor is not None and monitor.ok and monitor.mode in (None, account.mode)
        if self._usable:
            self._feeds()
            self._restrictions()
        else:
            self._add("feeds", "unknown", "not asked: the monitor credential is of no use here")
        self._endpoints()
        self._webhooks()
        self._clock()
        self._status_pages()
        for ability, why in CANNOT[account.provider].items():
            self._add(f"ability: {ability.replace('_', ' ')}", "note", why)
        shown = proofs[0].mode if proofs[0] is not None and proofs[0].ok else None
        return Examined(
            account.name, account.provider, account.mode, shown, tuple(self._findings), self._calls
        )

    def _add(self, check: str, state: str, said: str, todo: str = "") -> None:
        assert state in ("ok", "wrong", "unknown", "note")
        self._findings.append(Finding(check, state, safe_line(said, limit=400), todo))  # type: ignore[arg-type]

    # Credentials

    def _credential(self, slot: int) -> CredentialProof | None:
        check = _slot_name(slot)
        try:
            proof = self._provider.prove(slot, self._now())
        except ProviderError as error:
            self._add(check, "wrong", f"no proof: {error.bucket}: {error.message}", _TODO[error.bucket])
            return None
        except UsageError as error:
            self._add(check, "wrong", str(error), "correct the reference, or store the secret it names")
            return None
        if not proof.ok:
            cause = proof.code or proof.error or "rejected"
            self._add(
                check,
                "wrong",
                f"{proof.hint} is rejected: {cause}: {proof.message}",
                _rejected_todo(proof, slot),
            )
            return proof
        self._mode(check, proof)
        if proof.missing:
            self._add(
                f"{check}: permissions",
                "wrong",
                f"refused: {', '.join(proof.missing)}",
                f"grant {proof.hint} these permissions in the provider's dashboard",
            )
        elif proof.permissions is not None and slot != APPLICATION:
            # What the application needs is not known here: nothing is said of its credential.
            held = len(proof.permissions)
            self._add(f"{check}: permissions", "ok", f"holds all that payops reads with, among {held}")
        return proof

    def _mode(self, check: str, proof: CredentialProof) -> None:
        declared: Mode = self._account.mode
        how = f" by {proof.evidence}" if proof.evidence else ""
        whose = f"{proof.hint} of {proof.identity or 'an account it does not name'}"
        if proof.mode is None:
            said = f"{whose} is accepted; its mode is not proven"
            self._add(check, "unknown", said, "nothing in this provider's answers shows the mode")
        elif proof.mode != declared:
            self._add(
                check,
                "wrong",
                f"{whose} is proven to be of {OTHER_MODE[declared]} mode{how}, and {declared} is declared",
                f'store a {declared} credential under this reference, or declare mode = "{proof.mode}"',
            )
        else:
            self._add(check, "ok", f"{whose}: {declared} proven{how}")

    def _same_account(self, proofs: Sequence[CredentialProof | None]) -> None:
        own = next((p.identity for p in proofs if p is not None and p.ok and p.identity), None)
        for slot, proof in enumerate(proofs):
            if slot and proof is not None and proof.ok and proof.identity and proof.identity != own:
                self._add(
                    f"{_slot_name(slot)}: account",
                    "wrong",
                    f"belongs to {proof.identity}, the credential in use to {own}",
                    "replace it: a fallback must be of the same account",
                )

    # What the provider tells

    def _feeds(self) -> None:
        """One page of each feed: a permission that is missing shows only when it is used."""
        for spec in self._provider.feeds:
            if spec.name in ("credential", "endpoints"):
                continue
            try:
                page = self._provider.poll(spec.name, None, self._now())
            except ProviderError as error:
                named = f" ({error.code})" if error.code else ""
                said = f"{error.bucket}{named}: {error.message}"
                self._add(f"feed: {spec.name}", "wrong", said, _TODO[error.bucket])
                continue
            except NotPossible as error:
                self._add(f"feed: {spec.name}", "note", str(error))
                continue
            self._state = page.account_state or self._state
            late = f"; up to {spec.delay_s // 60} min late" if spec.delay_s >= 60 else ""
            self._add(f"feed: {spec.name}", "ok", f"answers; sees {spec.sees}{late}")

    def _restrictions(self) -> None:
        state = self._state
        if state is None:
            return
        if state.charges_enabled is None and state.payouts_enabled is None:
            self._add("account", "unknown", "the provider does not say whether it is restricted")
            return
        if state.restricted:
            off = [
                word
                for word, on in (("charges", state.charges_enabled), ("payouts", state.payouts_enabled))
                if on is False
            ]
            due = f"; due: {', '.join(state.due)}" if state.due else ""
            reason = f" ({state.reason})" if state.reason else ""
            self._add(
                "account",
                "wrong",
                f"{' and '.join(off)} are disabled{reason}{due}",
                "give the provider what it asks for, in its dashboard; nothing here can do that",
            )
        elif state.due:
            todo = "give it before the provider restricts the account"
            self._add("account", "note", f"the provider wants: {', '.join(state.due)}", todo)
        elif state.payouts_enabled is not None:
            self._add("account", "ok", "charges and payouts are enabled")
        elif state.at < self._now():
            said = f"a payment was taken at {state.at:%H:%M:%S} UTC; the provider says nowhere whether it still may be"
            self._add("account", "unknown", said)
        else:
            self._add("account", "ok", "charges are enabled; the provider does not tell of payouts")

    # Endpoints

    def _endpoints(self) -> None:
        account = self._account
        known: tuple[Endpoint, ...] | None = None
        if self._usable and "list_endpoints" not in CANNOT[account.provider]:
            try:
                known = self._provider.poll("endpoints", None, self._now()).endpoints
            except (ProviderError, UsageError) as error:
                bucket = error.bucket if isinstance(error, ProviderError) else "invalid_request"
                self._add("endpoints", "wrong", f"not listed: {bucket}: {error}", _TODO[bucket])
        self._known = known
        if not account.endpoints:
            todo = "add [[accounts.endpoints]] so that missing events can be noticed"
            self._add("endpoints", "unknown", "none is configured", todo)
        for endpoint in account.endpoints:
            if known is not None:
                self._registered(endpoint, known)
            if account.receives(endpoint) and not account.verifies(0):
                todo = "store it: webhook_secrets (Stripe), webhook_id (PayPal)"
                self._add(
                    f"endpoint {endpoint.name}",
                    "wrong",
                    "nothing is stored to verify its webhooks with",
                    todo,
                )
            self._reachable(endpoint)
            self._application(endpoint)

    def _application(self, endpoint: EndpointSettings) -> None:
        """The application behind a relay, or the inbox that is imported."""
        check = f"endpoint {endpoint.name}: application"
        if endpoint.forward_to is not None:
            answers, seen = self._tools.probe.answers(endpoint.forward_to)
            todo = "make it answer: what is relayed waits for it, and is given up after about 21 hours"
            self._add(
                check, "ok" if answers else "wrong", seen if answers else f"does not answer: {seen}",
                "" if answers else todo,
            )  # fmt: skip
            if endpoint.resign_secret is None:
                self._add(f"{check}: late events", "note", _LATE[self._account.provider])
        if endpoint.inbox_source is not None:
            problem = self._tools.inbox(endpoint, self._now())
            todo = "correct the source, or the view's columns: docs/webhooks.md"
            self._add(
                check, "wrong" if problem else "ok", problem or f"{endpoint.source} can be read",
                todo if problem else "",
            )  # fmt: skip

    def _registered(self, endpoint: EndpointSettings, known: Sequence[Endpoint]) -> None:
        check, account = f"endpoint {endpoint.name}", self._account
        listed = next((each for each in known if each.url == endpoint.url), None)
        if listed is None:
            urls = ", ".join(each.url for each in known) or "none"
            todo = f"register {endpoint.url} at the provider, or correct the configured url"
            self._add(check, "wrong", f"the provider knows no endpoint with this URL; it knows {urls}", todo)
            return
        if listed.status == "disabled":
            why = f" ({listed.disabled_reason})" if listed.disabled_reason else ""
            todo = "enable it in the dashboard, or `payops arm` enable-endpoint"
            self._add(check, "wrong", f"the provider has disabled it{why} and sends nothing", todo)
        else:
            self._add(check, "ok", f"registered and enabled as {listed.endpoint_id}")
        if listed.livemode is not None and listed.livemode != (account.mode == "live"):
            todo = f"register the {account.mode} endpoint"
            self._add(f"{check}: mode", "wrong", "it is registered in the other mode", todo)
        wanted = EVENT_TYPES[account.provider]
        missing = [] if "*" in listed.event_types else [t for t in wanted if t not in listed.event_types]
        if missing and account.receives(endpoint):
            todo = "subscribe the endpoint to these types"
            self._add(f"{check}: events", "wrong", f"not subscribed to {', '.join(missing)}", todo)
        elif not missing:
            self._add(f"{check}: events", "ok", f"subscribed to all {len(wanted)} types payops reads")
        self._version(check, listed)

    def _version(self, check: str, listed: Endpoint) -> None:
        configured = self._account.api_version
        meant = configured or READS.get(self._account.provider)
        told = {
            "the endpoint": listed.api_version,
            "the account": self._state.api_version if self._state else None,
        }
        if meant is None:
            return
        drifted = [
            f"{what} has {version}" for what, version in told.items() if version and differ(version, meant)
        ]
        if drifted:
            todo = "read the changelog between them, then set api_version or upgrade the endpoint"
            said = f"{configured} is configured" if configured else f"payops reads {meant}"
            self._add(f"{check}: API version", "wrong", f"{said}, {', '.join(drifted)}", todo)

    def _reachable(self, endpoint: EndpointSettings) -> None:
        check = f"endpoint {endpoint.name}: address"
        answers, seen = self._tools.probe.answers(endpoint.url)
        if not answers:
            todo = (
                "start `payops receive` (or `payops run`): nothing listens on this machine at this address"
                if _is_loopback(endpoint.url)
                else "make the address reachable from outside; the provider gives up after days of failures"
            )
            self._add(check, "wrong", f"does not answer: {seen}", todo)
            return
        certificate = self._tools.certificate(endpoint.url, self._now())
        if certificate.problem:
            self._add(check, "wrong", f"TLS: {certificate.problem}", "renew or replace the certificate")
        elif certificate.days_left is not None and certificate.days_left < SOON_DAYS:
            self._add(check, "wrong", f"its certificate ends in {certificate.days_left} days", "renew it now")
        else:
            until = (
                ""
                if certificate.days_left is None
                else f", certificate good for {certificate.days_left} days"
            )
            self._add(check, "ok", f"answers: {seen}{until}")

    # What reached us

    def _webhooks(self) -> None:
        """Whether what arrives is signed with what is stored: only deliveries tell, no provider shows its secrets."""
        for endpoint in self._account.endpoints:
            if self._account.receives(endpoint) and self._account.verifies(0):
                self._verifying(endpoint)

    def _verifying(self, endpoint: EndpointSettings) -> None:
        check = f"endpoint {endpoint.name}: webhook secret"
        account, store = self._account, self._tools.store
        if self._known is not None and self._tools.secrets is not None and account.webhook_id is not None:
            try:
                meant = self._tools.secrets(account.webhook_id)
            except UsageError as error:
                self._add(check, "wrong", str(error), "correct the reference, or store the id it names")
                return
            if meant not in {each.endpoint_id for each in self._known}:
                todo = f"store the id of the webhook with this URL under {account.webhook_id}"
                said = f"the provider's list of this mode has no webhook with the stored id …{meant[-4:]}"
                self._add(check, "wrong", said, todo)
                return
        if store is None:
            self._add(check, "unknown", "no store yet: nothing has been received that could prove it")
            return
        seen = signatures.row(store, account, endpoint, self._now()).values
        failed, other, age = (seen.get(name) for name in ("since_good", "other_since_good", "last_good_s"))
        last = (
            f"the last good one {minutes(age)} ago" if isinstance(age, int) else "there was no good one yet"
        )
        if isinstance(other, int) and other and (not isinstance(age, int) or age > RECENT_S):
            todo = f"store the secret of the {account.mode} endpoint"
            said = f"{plural(other, 'webhook')} verified as of the other mode, {last}: the secret is the other mode's"
            self._add(check, "wrong", said, todo)
        elif isinstance(failed, int) and failed >= FAILED:
            for known in signatures.explained(store, account.name, self._now()):
                if known.fix is not None:
                    said = f"{plural(failed, 'webhook')} failed the signature check, {last}: {known.reason}"
                    self._add(check, "wrong", said, known.fix)
                    return
            todo = "store the endpoint's present secret (a rotated one shows once), or promote the fallback's"
            said = f"{plural(failed, 'webhook')} failed the signature check, {last}: the secret is not the endpoint's"
            self._add(check, "wrong", said, todo)
        elif isinstance(age, int):
            self._add(check, "ok", f"verified a delivery {minutes(age)} ago")
        else:
            self._add(check, "unknown", "nothing has been received yet that could prove it")

    # Around it

    def _clock(self) -> None:
        now = self._now()
        self._calls = self._provider.calls()
        told = [call.provider_at for call in self._calls if call.provider_at is not None]
        if not told:
            self._add("clock", "unknown", "no answer carried a time to compare with")
            return
        ahead = round((told[-1] - now).total_seconds())
        if abs(ahead) > SKEW_S:
            side = "behind" if ahead > 0 else "ahead of"
            todo = "synchronise this machine's clock (NTP): signatures are judged by it"
            self._add("clock", "wrong", f"our clock is {abs(ahead)} s {side} the provider's", todo)
        else:
            self._add("clock", "ok", f"within {SKEW_S} s of the provider's")

    def _status_pages(self) -> None:
        for page in self._tools.pages:
            if page.provider == self._account.provider:
                hint = read_page(page)
                self._add("status page", "note", f"{hint.state}: {hint.said} (a hint, not a proof)")


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _slot_name(slot: int) -> str:
    if slot == APPLICATION:
        return "application credential"
    return "monitor credential" if slot == 0 else f"fallback credential {slot}"


def _rejected_todo(proof: CredentialProof, slot: int) -> str:
    if proof.code and "expired" in proof.code:
        return "roll it in the provider's dashboard and store the new one under the same reference"
    if slot == APPLICATION:
        return "the checkout uses this one: replace it at once, or it takes no money"
    return "store a valid credential of this account and mode under the same reference"


_TODO: dict[str, str] = {
    "auth": "store a valid credential of this account and mode under the same reference",
    "permission": "grant the credential the permission named, in the provider's dashboard",
    "rate_limit": "wait; if it lasts, somebody else uses up the account's allowance",
    "network": "check this machine's way out: name resolution, proxy, firewall",
    "invalid_request": "this looks like a wrong setting or an API change: read the provider's message",
    "conflict": "try again in a minute",
    "card": "read the provider's message",
    "outage": "the provider has trouble: look at its status page, try again in a few minutes",
}
