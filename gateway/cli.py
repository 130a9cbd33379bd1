"""`mandate`: the command line.

Exit codes: 0 done, 1 failed, 2 wrong usage. An error is one clear line on stderr; `--debug` adds where it arose.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from domain.callers import Role
from domain.errors import MandateError, Misconfigured
from gateway import collector
from gateway import commands as operators

_TENANT = re.compile(r"[!-~]{1,200}")
_HOST, _PORT = "127.0.0.1", 8000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if asked.debug:
            raise
        print(f"mandate: {_sentence(error)}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mandate", description="A self-hosted gateway through which AI agents act on people's accounts."
    )
    parser.add_argument("--debug", action="store_true", help="show where an error arose")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dev = commands.add_parser("dev", help="try it out: everything included, on this machine only")
    _listening(dev)
    dev.add_argument("--once", action="store_true", help="run one journey and exit, 0 if it succeeded")
    dev.set_defaults(run=_dev)

    serve = commands.add_parser("serve", help="production: needs a database, a master key and an identity provider")
    _listening(serve)
    serve.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default 1)")
    serve.set_defaults(run=_serve)

    commands.add_parser("migrate", help="bring the database to head").set_defaults(run=_migrate)

    token = commands.add_parser("token", help="development only: a signed caller token on stdout")
    token.add_argument("--tenant", required=True, help="whose data the token opens")
    token.add_argument("--subject", required=True, help="who it says is calling")
    token.add_argument("--role", required=True, choices=[role.value for role in Role if role is not Role.AGENT])
    token.set_defaults(run=_token)

    operators.add(commands)

    mcp = commands.add_parser("mcp", help="MCP over stdin and stdout, for desktop clients: relays to a running gateway")
    mcp.add_argument("--url", help=f"the gateway's address (default: $MANDATE_URL, or http://{_HOST}:{_PORT})")
    mcp.add_argument("--token-file", type=Path, metavar="FILE", help="holds the agent's key (default: $MANDATE_TOKEN)")
    mcp.set_defaults(run=_mcp)

    commands.add_parser("schema", help="print the GraphQL schema").set_defaults(run=_schema)

    new = commands.add_parser("new-integration", help="begin an integration: a folder that works, with its tests")
    new.add_argument("slug", help="its name in the catalogue, e.g. acme")
    new.set_defaults(run=_new_integration)
    return parser


def _listening(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default=_HOST, help=f"address to listen on (default {_HOST})")
    parser.add_argument("--port", type=_port, default=_PORT, help=f"port to listen on (default {_PORT})")


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65_536:
        raise argparse.ArgumentTypeError("a port is between 1 and 65535")
    return port


def _dev(asked: argparse.Namespace) -> int:
    collector.rest()
    from gateway.developing import develop

    return asyncio.run(develop(asked.host, asked.port, is_once=asked.once))


def _serve(asked: argparse.Namespace) -> int:
    collector.rest()
    from gateway.serving import serve

    serve(asked.host, asked.port, asked.workers)
    return 0


def _migrate(_: argparse.Namespace) -> int:
    from db.migrating import migrate
    from gateway.starting import settings_of_process

    settings = settings_of_process()
    if settings.database_url is None:
        raise Misconfigured("DATABASE_URL is not set. `mandate dev` migrates its embedded database by itself.")
    reached = asyncio.run(migrate(settings.database_url.reveal()))
    print(f"The database is at revision {reached}.")
    return 0


def _token(asked: argparse.Namespace) -> int:
    from gateway.starting import data_dir, settings_of_process
    from vault.development import DevelopmentIssuer

    for name in ("tenant", "subject"):
        if not _TENANT.fullmatch(getattr(asked, name)):
            raise Misconfigured(f"--{name} has 1 to 200 visible ASCII characters and no spaces.")
    issuer = DevelopmentIssuer(data_dir(settings_of_process()) / "development.key")
    print(issuer.issue(asked.tenant, asked.subject, [Role(asked.role)]))
    return 0


def _mcp(asked: argparse.Namespace) -> int:
    from gateway.bridging import bridge

    bridge(asked.url, asked.token_file, f"http://{_HOST}:{_PORT}")
    return 0


def _schema(_: argparse.Namespace) -> int:
    from schema.build import printed

    sys.stdout.write(printed())
    return 0


def _new_integration(asked: argparse.Namespace) -> int:
    from adapters._kit.scaffold import scaffold

    for path in scaffold(asked.slug):
        print(f"wrote {path}")
    print("Now replace what is made up by what the service is; CONTRIBUTING.md says how.")
    return 0


def _sentence(error: Exception) -> str:
    """One line. What is not ours is named by its kind, since its words may hold an address with a password."""
    if isinstance(error, MandateError):
        return error.message
    from db.embedded import EmbeddedPostgresFailed

    if isinstance(error, EmbeddedPostgresFailed):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}." + (f" ({error.filename})" if error.filename else "")
    return f"Something went wrong ({type(error).__name__}). Run it again with `mandate --debug …` to see where."


if __name__ == "__main__":
    sys.exit(main())
