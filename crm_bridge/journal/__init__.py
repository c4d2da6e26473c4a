"""The one memory: an append-only journal, chained by hash, with the snapshots of what was touched.

`store` holds `Journal`, the only class that others call; `rows` what goes in and comes out; `tables` the
schema and its migrations; `connection` the SQLite file and its errors; `place` where the file may lie;
`chain` the hashes and the head beside the file; `pages` the snapshots' frames; `checking` the walk that
finds an edit; `export` the events. SQLAlchemy is imported nowhere else.
"""
