"""(c): a bare `requests` loop that sends exactly our calls, with as many threads; prints one JSON object."""

from __future__ import annotations

import argparse
import json
import queue
import threading
import time
from pathlib import Path
from typing import Any

import requests

PAUSE = 0.5
"""Seconds until a call that was refused for its pace is sent again."""

_LOGIN = ("authorization", "token", "corpaccesstoken", "corpid")


def headers_of(config: str, crm: str) -> dict[str, str]:
    """The login that our own client uses, from its first request to this very simulator."""
    from urllib3 import connectionpool

    from crm_bridge.bridge import Bridge

    seen: dict[str, str] = {}
    before = connectionpool.HTTPConnectionPool.urlopen

    def urlopen(
        self: Any,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        for name, value in dict(headers or {}).items():
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            seen[str(name).lower()] = text
        return before(self, method, url, body, headers, *args, **kwargs)

    connectionpool.HTTPConnectionPool.urlopen = urlopen  # type: ignore[method-assign]
    try:
        with Bridge.open(config) as bridge:
            bridge.accounts.connected(crm)
    finally:
        connectionpool.HTTPConnectionPool.urlopen = before  # type: ignore[method-assign]
    return seen


def too_fast(answer: requests.Response) -> bool:
    """Whether the vendor refused a call for its pace: by status, or by a code of FxiaoKe's."""
    if answer.status_code == 429:
        return True
    told = answer.json() if "json" in answer.headers.get("content-type", "") else None
    return isinstance(told, dict) and told.get("errorCode") in (14001, 30004)


def main() -> None:
    """Send all of it once; what was too fast is sent again, until it is taken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("crm")
    parser.add_argument("url")
    parser.add_argument("calls", type=Path)
    parser.add_argument("lanes", type=int)
    asked = parser.parse_args()
    login = headers_of(asked.config, asked.crm)
    rows = [json.loads(line) for line in asked.calls.open()]
    todo: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for row in rows:
        todo.put(row)

    def lane() -> None:
        session = requests.Session()
        while True:
            try:
                method, url, headers, body = todo.get_nowait()
            except queue.Empty:
                return
            own = {
                name: login.get(name.lower(), value)
                if name.lower() not in ("content-length",)
                and name.lower() in login
                and name.lower() not in ("content-type", "accept")
                else value
                for name, value in headers.items()
            }
            own.pop("Content-Length", None)
            while True:
                answer = session.request(
                    method,
                    asked.url + url,
                    data=body.encode("latin-1") if body else None,
                    headers=own,
                    timeout=60,
                    allow_redirects=False,
                )
                if not too_fast(answer):
                    break
                time.sleep(PAUSE)

    wall, cpu = time.monotonic(), time.process_time()
    threads = [threading.Thread(target=lane) for _ in range(asked.lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        json.dumps(
            {
                "wall": time.monotonic() - wall,
                "cpu": time.process_time() - cpu,
                "calls": len(rows),
            }
        )
    )


if __name__ == "__main__":
    main()
