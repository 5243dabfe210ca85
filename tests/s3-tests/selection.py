"""A plugin of pytest for both suites: runs the tests that were asked for and no others, and writes down how each ended.

S3TESTS_SELECTED  a file with one name a line, or unset for every test
S3TESTS_OUTCOMES  where to write {name: {"outcome": …, "said": …}}, as JSON
"""

import json
import os
import pathlib
import sys
import types

import pytest

RANK = {"passed": 0, "skipped": 1, "failed": 2}

# The package of 2022 imports these for its reports and for `ssh`; no test needs them.
if "S3TESTS_STAND_INS" in os.environ:
    sys.modules.setdefault("pathlib2", pathlib)
    sys.modules.setdefault("fabric", types.SimpleNamespace(Connection=None))
    sys.modules.setdefault("py.xml", types.SimpleNamespace(html=None))


def plain(name):
    """The two suites write the same names with different underscores and cases."""
    return name.split("[")[0].replace("_", "").lower()


class ReportHooks:
    """Hooks of pytest-html that the package of 2022 has; without their plugin pytest would not know them."""

    def pytest_html_report_title(self, report): ...
    def pytest_html_results_summary(self, prefix, summary, postfix): ...
    def pytest_html_results_table_header(self, cells): ...
    def pytest_html_results_table_row(self, report, cells): ...
    def pytest_html_results_table_html(self, report, data): ...


def pytest_addhooks(pluginmanager):
    pluginmanager.add_hookspecs(ReportHooks)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    wanted = os.environ.get("S3TESTS_SELECTED")
    if wanted:
        names = {plain(name) for name in pathlib.Path(wanted).read_text().split()}
        config.hook.pytest_deselected(items=[item for item in items if plain(item.name) not in names])
        items[:] = [item for item in items if plain(item.name) in names]


class Outcomes:
    """Each test at its worst: over its phases, its parameters and the files that repeat it."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.seen = {}

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.rsplit("::", 1)[-1].split("[")[0]
        # The last test of a process pays for the suite's own cleaning up; that says nothing of the test.
        if report.when == "teardown" and report.failed:
            return
        seen = self.seen.setdefault(name, {"outcome": "passed", "said": "", "seconds": 0})
        seen["seconds"] += report.duration
        if RANK[report.outcome] > RANK[seen["outcome"]]:
            seen.update(outcome=report.outcome, said=report.longreprtext)

    def pytest_sessionfinish(self):
        self.path.write_text(json.dumps(self.seen))


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(os.environ["S3TESTS_OUTCOMES"]))
