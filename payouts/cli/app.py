"""The typer app: which modules bring commands, in which order and under which headings.

A module of commands has `register(app)`, which calls `frame.add` for each of its commands, and
stands in `MODULES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from payouts.cli.frame import Panel, told

__all__ = ["MODULES", "ORDER", "Below", "build"]

MODULES: tuple[str, ...] = (
    *("run", "work", "serve"),
    *("status", "items", "explain", "report"),
    *("approve", "reissue", "ledger", "collect"),
    *("control", "resolve", "accounts"),
    *("setup", "operate"),
)
"""Modules of `payouts.cli` that bring commands; a new one is added here."""

ORDER = (
    *("init", "template"),
    *("plan", "run", "serve", "worker"),
    *("status", "items", "explain", "incidents"),
    *("approve", "hold", "release", "cancel", "pause", "resume", "retry", "reissue", "resolve"),
    *("fund", "refund", "reconcile", "report", "ledger", "verify", "collect", "accounts"),
    *("coverage", "doctor", "config", "sandbox", "db", "key"),
)
"""Commands as `payouts --help` lists them within their heading."""


class _Group(TyperGroup):
    """Lists commands under headings, as plain text: drawing boxes would double the time."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401  typer keeps the type private
        known = {name: place for place, name in enumerate(ORDER)}
        return sorted(super().list_commands(ctx), key=lambda name: known.get(name, len(ORDER)))

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  the same
        sections: dict[str, list[tuple[str, str]]] = {panel: [] for panel in Panel}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            panel = str(getattr(command, "rich_help_panel", None) or Panel.OPERATE)
            sections.setdefault(panel, []).append((name, command.get_short_help_str(limit=200)))
        for panel, rows in sections.items():
            if rows:
                with formatter.section(panel):
                    formatter.write_dl(rows)


class Below(TyperGroup):
    """Lists the commands of a group with all of their words."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  the same
        """One line each."""
        del ctx
        rows = [(name, self.commands[name].get_short_help_str(limit=200)) for name in self.commands]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def build() -> typer.Typer:
    """The app with all commands."""
    app = typer.Typer(
        name="payouts",
        cls=_Group,
        help="Pays many people from a file: nobody twice, no line lost.",
        epilog="Start with: payouts run inputs/gig_week.csv",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_payouts)
    for name in MODULES:
        import_module(f"payouts.cli.{name}").register(app)
    return app


def _version(wanted: bool) -> None:  # noqa: FBT001  typer's callback
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  reads files

        told(f"payouts {version('payouts')}")
        raise typer.Exit


def _payouts(
    *,
    debug: bool = typer.Option(
        False, "--debug", help="Show tracebacks; may stand anywhere.", show_default=False
    ),
    version: bool = typer.Option(
        False,
        "--version",
        help="Print the version.",
        callback=_version,
        is_eager=True,
        show_default=False,
    ),
) -> None:
    """Pays many people from a file: nobody twice, no line lost."""
    del debug, version
