"""`crm-bridge simulator`: CRMs on loopback, with the settings that fit them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_bridge.cli import files
from crm_bridge.cli.options import pass_voice, verb
from crm_bridge.cli.voice import Voice
from crm_bridge.errors import SettingsError

if TYPE_CHECKING:
    from crm_bridge.simulator import Served, VendorSimulator


@verb("simulator")
@click.option(
    "--vendor", "vendors", multiple=True, metavar="V", help="Only these; all of ours else."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    metavar="N",
    help="Same seed, same records (1).",
)
@click.option(
    "--records",
    type=click.IntRange(min=0),
    default=1000,
    metavar="N",
    help="Companies, and leads; the rest in proportion (1000).",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="P",
    help="The first port; free ones else.",
)
@click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="How long each answer takes (0).",
)
@click.option("--no-limits", is_flag=True, help="No rates and no quotas.")
@click.option("--write-config", metavar="FILE", help="Write the settings that fit.")
@pass_voice
def simulator(
    voice: Voice,
    vendors: tuple[str, ...],
    seed: int,
    records: int,
    port: int,
    latency: float,
    no_limits: bool,
    write_config: str | None,
) -> int:
    """CRMs on loopback to try things with."""
    from crm_bridge import registry
    from crm_bridge.simulator import run_simulators
    from crm_bridge.simulator import write_config as write

    if write_config is not None:
        files.fits(write_config)
    found = registry.simulators(tuple(dict.fromkeys(vendors)))
    if not found:
        raise SettingsError("no vendor with a simulator is installed.")
    if port and port + len(found) - 1 > 65535:
        raise SettingsError(
            f"{len(found)} vendors do not fit above port {port}.", detail="Name a lower --port."
        )

    def ready(pairs: list[tuple[VendorSimulator, str]], served: list[Served]) -> None:
        if write_config is not None:
            write(Path(write_config), pairs)
        for each in served:
            if voice.json:
                voice.line(
                    {"type": "simulator", "crm": each.crm, "vendor": each.vendor, "url": each.url},
                    flush=True,
                )
            else:
                voice.out(f"{each.crm:6} {each.vendor:12} {each.url}", flush=True)
        if voice.json:
            voice.line({"type": "ready"}, flush=True)
        else:
            voice.out("ready" + _next(write_config) + "; Ctrl-C ends them", flush=True)

    try:
        return run_simulators(
            found,
            seed=seed,
            records=records,
            port=port,
            latency=latency,
            limits=not no_limits,
            on_ready=ready,
        )
    except OSError as error:
        raise _taken(error, port) from None


def _taken(error: OSError, port: int) -> SettingsError:
    where = f"port {port} or one after it" if port else "a port on loopback"
    return SettingsError(
        f"{where} cannot be used: {error.strerror or error}.",
        detail="Name another --port, or none for free ones.",
        code="port",
    )


def _next(config: str | None) -> Any:
    return f"; try: crm-bridge --config {config} doctor" if config else ""
