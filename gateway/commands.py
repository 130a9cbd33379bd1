"""Commands for operators: `mandate audit`, `mandate keys`, `mandate tenant`. They may run while the gateway serves."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from domain.errors import InvalidInput

if TYPE_CHECKING:
    from vault.verifying import Report

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no other name


def add(commands: Commands) -> None:
    """Make them known to the command line."""
    _add_audit(commands)
    _add_keys(commands)
    _add_tenant(commands)


def _add_audit(commands: Commands) -> None:
    audit = commands.add_parser("audit", help="take a tenant's sealed history along, or check one")
    verbs = audit.add_subparsers(required=True, metavar="VERB")
    export = verbs.add_parser("export", help="write a tenant's history with its seals, as JSON lines")
    export.add_argument("--tenant", required=True, help="whose history")
    export.add_argument("--out", type=Path, metavar="FILE", help="where to (default: stdout)")
    export.set_defaults(run=_export)
    verify = verbs.add_parser("verify", help="check an exported history, or a receipt, offline")
    verify.add_argument("file", type=Path, metavar="FILE")
    verify.add_argument(
        "--against", type=Path, metavar="FILE", help="an export that this one, or this receipt, must fit"
    )
    verify.add_argument("--key", metavar="ID", help="the key that must have signed, as an earlier check named it")
    verify.set_defaults(run=_verify)


def _add_keys(commands: Commands) -> None:
    keys = commands.add_parser("keys", help="look at keys and replace them, while the gateway serves")
    verbs = keys.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("list", help="which master key wraps how many data keys").set_defaults(run=_list_keys)
    verbs.add_parser("rewrap", help="wrap every data key with the first master key").set_defaults(run=_rewrap)
    verbs.add_parser("rotate", help="a new data key for every tenant").set_defaults(run=_rotate)


def _add_tenant(commands: Commands) -> None:
    tenant = commands.add_parser("tenant", help="end a tenant")
    verbs = tenant.add_subparsers(required=True, metavar="VERB")
    destroy = verbs.add_parser("destroy", help="disconnect everything and destroy the tenant's keys, for good")
    destroy.add_argument("tenant", metavar="TENANT")
    destroy.add_argument("--yes", action="store_true", help="do not ask")
    destroy.set_defaults(run=_destroy)


def _export(asked: argparse.Namespace) -> int:
    from gateway.auditing import export
    from gateway.starting import settings_of_process

    if asked.out is None:
        asyncio.run(export(settings_of_process(), asked.tenant, sys.stdout))
        return 0
    with asked.out.open("w", encoding="utf-8") as out:
        many = asyncio.run(export(settings_of_process(), asked.tenant, out))
    _say(f"{many} records of {asked.tenant} are in {asked.out}.")
    return 0


def _verify(asked: argparse.Namespace) -> int:
    from gateway.auditing import verify

    report = verify(asked.file, asked.against, asked.key)
    for note in report.notes:
        _say(f"Note: {note}")
    if not report.is_whole:
        for finding in report.findings:
            print(finding, file=sys.stderr)
        return 1
    _say(_verdict(report))
    return 0


def _verdict(report: "Report") -> str:
    by = f"Signed by the key {report.key_id}."
    if not report.records:
        return f"The receipt is what was signed, for {report.tenant}. {by}" if not report.seals else by
    to = f"sealed up to record {report.sealed_to} at {report.sealed_at}" if report.seals else "none of them sealed"
    return f"{report.records} records of {report.tenant} are whole, {to}. {by}"


def _list_keys(_: argparse.Namespace) -> int:
    from gateway.rekeying import list_keys
    from gateway.starting import settings_of_process

    asyncio.run(list_keys(settings_of_process(), _say))
    return 0


def _rewrap(_: argparse.Namespace) -> int:
    from gateway.rekeying import rewrap
    from gateway.starting import settings_of_process

    asyncio.run(rewrap(settings_of_process(), _say))
    return 0


def _rotate(_: argparse.Namespace) -> int:
    from gateway.rekeying import rotate
    from gateway.starting import settings_of_process

    return 0 if asyncio.run(rotate(settings_of_process(), _say)) else 1


def _destroy(asked: argparse.Namespace) -> int:
    from gateway.destroying import destroy
    from gateway.starting import settings_of_process

    if not asked.yes:
        _say("Every connection of the tenant is ended and its keys are destroyed. Nobody can bring them back.")
        if input("Type the tenant's name to go on: ").strip() != asked.tenant:
            raise InvalidInput("That is not its name. Nothing was done.")
    asyncio.run(destroy(settings_of_process(), asked.tenant, _say))
    return 0


def _say(line: str) -> None:
    """At once, so that progress shows where output is not a terminal."""
    print(line, flush=True)
