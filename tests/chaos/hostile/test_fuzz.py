"""No input causes a 500, a hang or a crash."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from tests.chaos.inputs.fuzz_corpus import corpus
from tests.chaos.inputs.fuzzing import Findings, attack
from tests.chaos.inputs.mutations import mutant
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.target import Target, serving_target

SEED = 20_261_122
QUICK_MUTANTS = 300
MUTANTS = 10_000
LIMIT_S = 120.0
LOG_BYTES_PER_INPUT = 1000  # a line or two; a traceback, or the body in the log, is more


def check(target: Target, mutants: int) -> Findings:
    """Sends the corpus and so many mutants, and looks at what they left behind."""
    workers, logged = target.worker_ids(), target.server.log.stat().st_size
    findings = attack(target, chain(corpus(), map(mutant, range(SEED, SEED + mutants))))
    assert not findings.wrong, str(findings)
    assert target.worker_ids() == workers, "a worker was replaced"
    log = target.server.log.read_text(errors="replace")[logged:]
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
    assert len(log) <= LOG_BYTES_PER_INPUT * findings.inputs, f"{len(log)} bytes of log; it ends with {log[-1000:]}"
    return findings


@pytest.mark.chaos
def test_no_named_input_and_few_mutants_cause_a_500_a_hang_or_a_crash(target: Target) -> None:
    assert len(corpus()) >= 80
    check(target, QUICK_MUTANTS)


@pytest.mark.chaos
def test_no_input_causes_a_500_a_hang_or_a_crash(tmp_path: Path, reliability: Reliability) -> None:
    with serving_target(tmp_path) as target:
        findings = check(target, MUTANTS)
    assert findings.inputs >= 5000
    seconds, slowest = findings.slowest
    measured = (
        f"0 in {findings.inputs} ({len(corpus())} named), {findings.seconds:.0f} s; slowest {seconds:.2f} s ({slowest})"
    )
    reliability.record("no input causes a 500, a hang or a crash", "0 in ≥ 5,000", measured, True)
    assert findings.seconds <= LIMIT_S
