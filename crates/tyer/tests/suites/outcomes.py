"""A plugin of pytest: one line for each test, `state<TAB>id<TAB>why`, in the file that OUTCOMES names."""

import os

GRAVITY = ["passed", "skipped", "failed"]
worst = {}


def tell(state, name, why):
    why = " | ".join(str(why or "").split("\n"))[:2000].replace("\t", " ")
    with open(os.environ["OUTCOMES"], "a", encoding="utf-8") as file:
        file.write(f"{state}\t{name}\t{why}\n")


def pytest_collectreport(report):
    if report.failed:
        tell("failed", report.nodeid, report.longrepr)


def pytest_runtest_logreport(report):
    why = ""
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        why = crash.message if crash else report.longrepr
    before = worst.get(report.nodeid, ("passed", ""))
    if GRAVITY.index(report.outcome) >= GRAVITY.index(before[0]) and report.outcome != "passed":
        before = (report.outcome, why)
    worst[report.nodeid] = before
    if report.when == "teardown":
        tell(before[0], report.nodeid, before[1])
