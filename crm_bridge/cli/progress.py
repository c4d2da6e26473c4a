"""What a person sees while a run is under way: an observer like any other."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from crm_bridge.cli.voice import Voice, is_terminal
from crm_bridge.hookspecs import hookimpl

if TYPE_CHECKING:
    from crm_bridge.model.results import Event

STAGES = {"keep": "keeping", "intent": "sending", "answer": "sending", "verify": "verified"}


class Progress:
    """A bar on stderr for a terminal; for a log one line when the run begins."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._bar: Any = None
        self._task: Any = None
        self._run = ""

    @hookimpl
    def observe(self, event: Event) -> None:
        """See an event."""
        if self._voice.quiet:
            return
        if event.run and event.run != self._run:
            self._run = event.run
            if is_terminal(sys.stderr):
                self._start(event)
            else:
                self._voice.aside(f"run {event.run} is under way")
        if self._bar is None:
            return
        if event.total:
            self._bar.update(self._task, total=event.total)
        self._bar.update(
            self._task,
            description=f"{event.run} {STAGES.get(event.stage, event.stage)} {event.crm}",
        )
        if event.stage == "verify":
            self._bar.advance(self._task, event.count)
        if event.stage == "finish":
            self.close()

    def _start(self, event: Event) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(event.run, total=event.total or None)
        self._bar.start()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
