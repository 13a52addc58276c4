"""A `payops.toml` for a simulated world, its secrets in files beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from payops.domain.catalogue import REMEDY_IDS
from payops.domain.errors import UsageError
from payops.domain.payments import Provider

from .account import application_url, public_url
from .applications import inbox_path
from .kinds import credentials
from .scenario import OPERATORS, Scenario

_FIRST_LINE = "# Written by `payops simulate`: it talks to a simulated provider only."
_ROLES = '["operator", "coordinator", "security", "admin"]'


def write(
    path: Path,
    scenario: Scenario,
    seed: int,
    *,
    api_bases: dict[str, str],
    public_bases: Mapping[Provider, str],
    application_bases: Mapping[Provider, str],
    receiver_host: str,
    receiver_port: int,
) -> None:
    """Write `path` and the secret files in `NAME.secrets/` beside it, all 0600. `api_bases`: provider → URL.

    A file that `payops simulate` did not write is never overwritten.
    """
    folder = path.with_name(f"{path.stem}.secrets")
    try:
        if path.exists() and not path.read_text("utf-8", "replace").startswith(_FIRST_LINE):
            raise UsageError(
                f"{path}: exists and was not written by payops simulate; name another with --write-config"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        lines = [
            _FIRST_LINE,
            'schema = "payops.config/v1"',
            f'store = "{path.stem}.db"',
            'mode = "armed"',
            "",
            "[receiver]",
            f'host = "{receiver_host}"',
            f"port = {receiver_port}",
        ]
        for operator in OPERATORS:
            lines += ["", "[[operators]]", f'name = "{operator}"', f"roles = {_ROLES}"]
        for name, stored in credentials(scenario, seed).items():
            lines += _account(name, stored, scenario, folder, api_bases, public_bases, application_bases)
        _write_private(path, "\n".join(lines) + "\n")
    except OSError as error:
        raise UsageError(f"{error.filename or path}: cannot be written: {error.strerror}") from error


def _account(
    name: str,
    stored: dict[str, Any],
    scenario: Scenario,
    folder: Path,
    api_bases: dict[str, str],
    public_bases: Mapping[Provider, str],
    application_bases: Mapping[Provider, str],
) -> list[str]:
    provider = next(known for known in scenario.providers if scenario.account(known) == name)
    options = scenario.providers[provider]

    def kept(file: str, secret: str) -> str:
        _write_private(folder / f"{name}.{file}", secret + "\n")
        return f'"file:{folder.name}/{name}.{file}"'

    def fields(entry: Mapping[str, Any], suffix: str) -> list[str]:
        """`field = reference` for each secret of one stored credential."""
        said = []
        for field, value in entry.items():
            if field == "webhook_secrets":
                files = [f"webhook-secret{suffix}{f'-{n}' if n else ''}" for n in range(len(value))]
                references = [kept(file, secret) for file, secret in zip(files, value, strict=True)]
                said.append(f"webhook_secrets = [{', '.join(references)}]")
            elif isinstance(value, str) and field != "webhook_ca":
                said.append(f"{field} = {kept(field.replace('_', '-') + suffix, value)}")
        return said

    lines = [
        "",
        "[[accounts]]",
        f'name = "{name}"',
        f'provider = "{provider}"',
        f'mode = "{options.mode}"',
        *fields(stored, ""),
        f'api_base = "{api_bases[provider]}"',
    ]
    if "webhook_ca" in stored:
        lines.append(f'webhook_ca = """\n{stored["webhook_ca"]}"""')
    fallbacks = [
        f"{{ {', '.join(fields(entry, f'-{number}'))} }}"
        for number, entry in enumerate(stored["fallback_credentials"], start=2)
    ]
    if fallbacks:
        lines.append(f"fallback_credentials = [{', '.join(fallbacks)}]")
    for endpoint in options.all_endpoints:
        base = (public_bases if endpoint.own else application_bases)[provider]
        lines += [
            "",
            "[[accounts.endpoints]]",
            f'name = "{endpoint.name}"',
            f'url = "{public_url(base, name, endpoint.key)}"',
            f'topology = "{endpoint.topology}"',
            f"idempotent = {'true' if endpoint.idempotent else 'false'}",
        ]
        if endpoint.topology == "relay":
            lines.append(f'forward_to = "{application_url(application_bases[provider], endpoint.name)}"')
        elif endpoint.topology == "import":
            inboxes = folder.with_suffix(".inboxes").name
            lines.append(f'source = "{inbox_path(Path(inboxes), name, endpoint.name)}"')
    if options.armed:
        remedies = ", ".join(f'"{remedy}"' for remedy in REMEDY_IDS)
        lines += ["", "[[arm]]", f'account = "{name}"', f"remedies = [{remedies}]"]
    return lines


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, and never readable by others, not for a moment."""
    draft = path.with_name(f".{path.name}.new")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.write(text)
    draft.replace(path)
