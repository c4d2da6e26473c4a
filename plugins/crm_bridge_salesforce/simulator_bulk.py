"""Bulk API 2.0: ingest jobs that delete and hard delete, query jobs, and the worker behind them.

The worker takes a job on its own a minute after it was closed; polled, it takes it at the first
poll and has done it at the second.
https://developer.salesforce.com/docs/platform/api-asynch/guide/create-job.html
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any, Final

from crm_bridge.simulator import Call
from crm_bridge_salesforce.simulator_life import delete, hard_delete, target
from crm_bridge_salesforce.simulator_org import Org, Trouble, stamp
from crm_bridge_salesforce.simulator_query import Search
from crm_bridge_salesforce.simulator_schema import id_of
from crm_bridge_salesforce.simulator_soql import parse
from crm_bridge_salesforce.simulator_wire import (
    Answer,
    lock_rows,
    not_allowed,
    not_found,
    object_of,
)

LARGEST: Final = 150_000_000
"""Bytes of one job."""
_ALONE = 60.0  # seconds after which the worker needs no poll
_KEPT = 7 * 86_400.0
_OPEN = 86_400.0
_OPERATIONS = ("insert", "delete", "hardDelete", "update", "upsert")
_DONE = ("JobComplete", "Failed", "Aborted")


@dataclass(slots=True)
class Job:
    """One job."""

    id: str
    type: str  # V2Ingest or V2Query
    object: str
    operation: str
    made: float
    version: str
    by: str
    line_ending: str = "LF"
    state: str = "Open"
    rows: list[str] | None = None
    closed: float = 0.0
    query: str = ""
    success: list[str] = field(default_factory=list)
    failure: list[tuple[str, str]] = field(default_factory=list)
    unprocessed: list[str] = field(default_factory=list)
    error: str = ""
    spoiled: tuple[str, int] | None = None
    found: list[list[str]] = field(default_factory=list)
    polls: int = 0

    def shown(self) -> dict[str, Any]:
        """The job as the API tells it."""
        kind = "ingest" if self.type == "V2Ingest" else "query"
        told: dict[str, Any] = {
            "id": self.id,
            "operation": self.operation,
            "object": self.object,
            "createdById": self.by,
            "createdDate": stamp(self.made),
            "systemModstamp": stamp(self.closed or self.made),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version.removeprefix("v")),
            "lineEnding": self.line_ending,
            "columnDelimiter": "COMMA",
            "jobType": self.type,
        }
        if kind == "ingest":
            told["contentUrl"] = f"services/data/{self.version}/jobs/ingest/{self.id}/batches"
        if self.state in ("InProgress", *_DONE) and self.state != "Aborted":
            done = len(self.success) + len(self.failure)
            told["numberRecordsProcessed"] = done if kind == "ingest" else len(self.found)
            told["retries"] = 0
            told["totalProcessingTime"] = done
            if kind == "ingest":
                told["numberRecordsFailed"] = len(self.failure)
                told["apiActiveProcessingTime"] = done
                told["apexProcessingTime"] = 0
        if self.state == "Failed":
            told["errorMessage"] = self.error
        return told


def jobs_of(org: Org) -> dict[str, Job]:
    """The org's jobs by id."""
    jobs: dict[str, Job] = org.account.memory.setdefault("jobs", {})
    return jobs


def answer(org: Org, call: Call, version: str, kind: str, rest: list[str]) -> Answer:
    """The answer of `/jobs/ingest` and `/jobs/query`."""
    if not rest:
        if call.method == "GET":
            wanted = "V2Ingest" if kind == "ingest" else "V2Query"
            told = [job.shown() for job in jobs_of(org).values() if job.type == wanted]
            return Answer(data={"done": True, "records": told, "nextRecordsUrl": None})
        if call.method != "POST":
            raise not_allowed(call.method, "GET", "POST")
        return _create(org, call, version) if kind == "ingest" else _ask(org, call, version)
    job = jobs_of(org).get(rest[0])
    if job is None or (job.type == "V2Ingest") != (kind == "ingest"):
        raise not_found()
    match rest[1:]:
        case []:
            return _job(org, call, job)
        case ["batches"] if kind == "ingest":
            return _upload(call, job)
        case ["results"] if kind == "query":
            return _results(call, job)
        case [name] if kind == "ingest" and call.method == "GET":
            return _rows(org, job, name.lower())
    raise not_found()


def _new(org: Org, type: str, object: str, operation: str, version: str) -> Job:
    jobs = jobs_of(org)
    id = id_of("750", org.account.index, len(jobs) + 1)
    job = Job(id, type, object, operation, org.clock.epoch(), version, org.user)
    jobs[id] = job
    return job


def _create(org: Org, call: Call, version: str) -> Answer:
    body = object_of(call)
    operation = body.get("operation")
    if operation not in _OPERATIONS:
        raise Trouble("INVALIDENTITY", f"operation {operation!r} is not supported")
    known = org.object(str(body.get("object")))
    if known is None or not known.prefix:
        raise Trouble("INVALIDENTITY", f"object {body.get('object')!r} is not supported")
    if body.get("contentType", "CSV") != "CSV" or body.get("columnDelimiter", "COMMA") != "COMMA":
        raise Trouble("INVALIDJOB", "only CSV with commas is taken here")
    if operation not in ("delete", "hardDelete"):
        raise Trouble("FEATURENOTENABLED", f"operation {operation} is not enabled in this org")
    if operation == "hardDelete" and not org.may("BulkApiHardDelete"):
        raise Trouble(
            "FEATURENOTENABLED",
            "hardDelete operation requires special user profile permission, please contact your "
            "system administrator",
        )
    if "concurrencyMode" in body:
        raise Trouble("INVALIDJOB", "concurrencyMode cannot be set")
    job = _new(org, "V2Ingest", known.name, str(operation), version)
    job.line_ending = str(body.get("lineEnding", "LF"))
    return Answer(data=job.shown())


def _upload(call: Call, job: Job) -> Answer:
    if call.method != "PUT":
        raise not_allowed(call.method, "PUT")
    if job.state != "Open" or job.rows is not None:
        raise Trouble("INVALIDJOBSTATE", f"cannot upload to a job in state {job.state}")
    if not call.headers.get("content-type", "").startswith("text/csv"):
        raise Trouble("INVALIDCONTENTTYPE", "text/csv is needed", status=415)
    if len(call.body) > LARGEST:
        raise Trouble("INVALIDJOB", "job data is too large", status=413)
    lines = list(csv.reader(io.StringIO(call.body.decode("utf-8-sig"))))
    if lines and lines[0] != ["Id"]:
        job.error = f"InvalidBatch : The '{job.operation}' batch must contain only ids"
    job.rows = [line[0] for line in lines[1:] if line]
    return Answer(201)


def _job(org: Org, call: Call, job: Job) -> Answer:
    if call.method == "GET":
        _poll(org, job)
        return Answer(data=job.shown())
    if call.method == "PATCH":
        state = object_of(call).get("state")
        if state == "UploadComplete" and job.state == "Open" and job.rows is not None:
            job.state, job.closed = "UploadComplete", org.clock.epoch()
            job.spoiled, org.row_error = org.row_error, None
        elif state == "Aborted" and job.state in ("Open", "UploadComplete"):
            job.state = "Aborted"
            job.unprocessed = list(job.rows or ())
        else:
            raise Trouble("INVALIDJOBSTATE", f"a job in state {job.state} cannot become {state}")
        return Answer(data=job.shown())
    if call.method != "DELETE":
        raise not_allowed(call.method, "GET", "PATCH", "DELETE")
    if job.state not in ("UploadComplete", *_DONE):
        raise Trouble("INVALIDJOBSTATE", f"a job in state {job.state} cannot be deleted")
    del jobs_of(org)[job.id]
    return Answer(204)


# -- the worker -----------------------------------------------------------------------------------


def _poll(org: Org, job: Job) -> None:
    if job.state in ("UploadComplete", "InProgress"):
        job.polls += 1
        if job.polls == 1:
            job.state = "InProgress"
        else:
            _work(org, job)


def work(org: Org) -> None:
    """Let the worker take what waits long enough, and forget what is old."""
    now = org.clock.epoch()
    for job in list(jobs_of(org).values()):
        if job.state in ("UploadComplete", "InProgress") and now - job.closed >= _ALONE:
            _work(org, job)
        elif job.state == "Open" and now - job.made > _OPEN:
            job.state = "Failed"
            job.error = "job was open for more than 24 hours"
        elif job.state in _DONE and now - max(job.closed, job.made) > _KEPT:
            del jobs_of(org)[job.id]


def _work(org: Org, job: Job) -> None:
    if job.error:
        job.state, job.unprocessed = "Failed", list(job.rows or ())
        return
    job.state = "JobComplete"
    if job.type == "V2Query":
        return
    rows = list(job.rows or ())
    org.row_error, job.spoiled = job.spoiled, None
    spoiled = lock_rows(org, len(rows))
    remove = hard_delete if job.operation == "hardDelete" else delete
    for at, text in enumerate(rows):
        try:
            if at in spoiled:
                raise spoiled[at]
            remove(org, target(org, job.object, text))
            job.success.append(text)
        except Trouble as error:
            job.failure.append((text, f"{error.code}:{error.text}:{','.join(error.fields)}--"))


def _rows(org: Org, job: Job, name: str) -> Answer:
    out = io.StringIO()
    quoted = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    silent = job.operation == "hardDelete" and not org.switches["hard_delete_rows"]
    if name == "successfulresults":
        quoted.writerow(["sf__Id", "sf__Created", "Id"])
        # Chunks are worked at in parallel: the order is not that of the upload.
        for text in () if silent else reversed(job.success):
            quoted.writerow([text, "false", text])
    elif name == "failedresults":
        quoted.writerow(["sf__Id", "sf__Error", "Id"])
        for text, why in () if silent else job.failure:
            known = text if float(job.version.removeprefix("v")) >= 53 else ""
            quoted.writerow([known, why, text])
    elif name == "unprocessedrecords":
        quoted.writerow(["Id"])
        for text in job.unprocessed:
            quoted.writerow([text])
    else:
        raise not_found()
    return Answer(text=out.getvalue())


# -- query jobs -----------------------------------------------------------------------------------


def _ask(org: Org, call: Call, version: str) -> Answer:
    body = object_of(call)
    operation, text = body.get("operation"), body.get("query")
    if operation not in ("query", "queryAll") or not isinstance(text, str):
        raise Trouble("INVALIDJOB", "operation and query are needed")
    search = Search(org, parse(text), operation == "queryAll")
    if search.aggregates or search.query.counts:
        raise Trouble("INVALIDJOB", "aggregate queries are not supported")
    for item in search.query.items:
        if search.field(item.path).type in ("address", "location", "base64"):
            raise Trouble("INVALIDJOB", f"field {item.path} is not supported in Bulk queries")
    job = _new(org, "V2Query", search.known.name, str(operation), version)
    job.query, job.state, job.closed = text, "UploadComplete", org.clock.epoch()
    job.found = [[item.path for item in search.query.items]]
    for row in search.rows():
        getters = (search.getter(item.path) for item in search.query.items)
        job.found.append([_cell(get(row)) for get in getters])
    return Answer(data=job.shown())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _results(call: Call, job: Job) -> Answer:
    if call.method != "GET":
        raise not_allowed(call.method, "GET")
    if job.state != "JobComplete":
        raise Trouble("INVALIDJOBSTATE", f"a job in state {job.state} has no results")
    try:
        start = int(call.query("locator") or 0)
        size = int(call.query("maxRecords") or 50_000)
    except ValueError:
        raise Trouble("INVALIDLOCATOR", "invalid locator") from None
    head, *rows = job.found
    page = rows[start : start + size]
    out = io.StringIO()
    quoted = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    quoted.writerow(head)
    quoted.writerows(page)
    more = start + size < len(rows)
    headers = [
        ("sforce-locator", str(start + size) if more else "null"),
        ("sforce-numberofrecords", str(len(page))),
    ]
    return Answer(headers=headers, text=out.getvalue())
