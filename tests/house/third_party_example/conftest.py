"""The example is a project of its own; `test_third_party.py` installs it and runs its tests."""

collect_ignore_glob = ["*"]
