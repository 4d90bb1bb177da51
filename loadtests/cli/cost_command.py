"""``python -m loadtests cost``: CPU time of one small request, in interleaved rounds.

Every round measures each case in turn: query options, request headers, another setting of the server, the code of
another checkout, and the same work with no server around it. Ratios are taken within a round, so that both sides have
the same machine. The servers are started anew every few rounds.
"""

import argparse
import contextlib
import functools
import itertools
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loadtests.bench import work_alone
from loadtests.bench.bench_settings import Settings
from loadtests.bench.readings import Readings, Spread
from loadtests.bench.results.benchmark_page import table
from loadtests.bench.results.results_table import figure
from loadtests.bench.systems import DEFAULT_BUNDLE, cores
from loadtests.cli.argument_types import Commands, positive
from loadtests.inputs.payloads import PayloadError, image_file, small
from loadtests.inputs.request_bodies import single, with_columns
from loadtests.load import closed_loop, machine
from loadtests.load.server_process import REPOSITORY, Server, ServerError, running

WORK_ALONE = "work alone"
ROUNDS_PER_START = 4  # two starts of one program differ in memory layout and hash seeds
COLUMNS = (closed_loop.REQUESTS_PER_S, closed_loop.CPU_US, closed_loop.P50_MS, closed_loop.P99_MS)
FAILURES = (ServerError, closed_loop.CostError, work_alone.WorkAloneError, PayloadError)
_SETTING = re.compile(r"[A-Za-z_]\w*=.*")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): *([ -~]*)")  # RFC 9110, 5.6.2; visible ASCII


@dataclass(frozen=True)
class Case:
    """One kind of request to one server; an empty query, header or setting is none."""

    checkout: Path
    query: str
    header: str
    setting: str = ""

    @property
    def name(self) -> str:
        """The case as the table shows it."""
        checkout = "this checkout" if self.checkout == REPOSITORY else str(self.checkout)
        return " ".join(part for part in (checkout, self.query and f"?{self.query}", self.header, self.setting) if part)


def add_command(commands: Commands) -> None:
    """Add ``cost`` to the commands."""
    cost = commands.add_parser("cost", help="measure the CPU time of one small request, with wrk")
    cost.set_defaults(run=run)
    cost.add_argument("--image", metavar="FILE", type=Path, help="image to send (a 28x28 PNG)")
    cost.add_argument("--columns", metavar="JSON", type=json.loads, help="columns to send with the image")
    cost.add_argument(
        "--query",
        metavar="Q",
        nargs="+",
        default=[""],
        help="query options, e.g. heads=a,b; each is a case, '' is none",
    )
    cost.add_argument(
        "--header", metavar="H", nargs="+", type=_header, default=[""],
        help="request headers, e.g. 'X-Forwarded-For: 10.0.0.1'; each is a case, '' is none",
    )  # fmt: skip
    cost.add_argument(
        "--setting", metavar="NAME=VALUE", nargs="+", type=_setting, default=[""],
        help="variables of the server, with spaces between them; each is a case, '' is none",
    )  # fmt: skip
    cost.add_argument(
        "--against", metavar="DIR", type=Path, help="also measure the code of the checkout in DIR, and print the ratio"
    )
    cost.add_argument(
        "--max-ratio", metavar="R", type=float, help="exit status 1 above R times the CPU of the work alone"
    )
    cost.add_argument("--max-cpu-ms", metavar="X", type=float, help="exit status 1 above X ms of CPU a request")
    cost.add_argument(
        "--connections", metavar="N", type=positive, default=closed_loop.CONNECTIONS, help="(%(default)s)"
    )
    cost.add_argument("--rounds", metavar="N", type=positive, default=8, help="(%(default)s)")
    cost.add_argument("--seconds", metavar="S", type=positive, default=2, help="of one measurement (%(default)s)")
    cost.add_argument("--json", metavar="FILE", type=Path, help="takes every figure of every round")
    cost.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("build/loadtest"), help="takes logs (%(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Measure all cases and print them; 1 where a limit is exceeded or a server cannot be measured."""
    options.out.mkdir(parents=True, exist_ok=True)
    checkouts = [REPOSITORY] if options.against is None else [REPOSITORY, options.against.absolute()]
    cases = [Case(*each) for each in itertools.product(checkouts, options.query, options.header, options.setting)]
    conditions = (
        f"{options.connections} connections, {options.rounds} rounds of {options.seconds} s, on {machine.describe()}"
    )
    print(conditions, flush=True)
    try:
        if options.against and not (options.against / "service").is_dir():
            raise ServerError(
                f"--against {options.against} holds no folder `service`; name a checkout of this repository"
            )
        readings = _measure(options, cases)
    except FAILURES as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        readings.write(options.json, {"load": conditions})
    rows = [[name, *(figure(readings.spread(name, each)) for each in COLUMNS)] for name in readings.subjects]
    print(table(["", *COLUMNS], rows))
    for case in cases:
        _print_ratios(readings, case, cases[0], options)
    return _check_limits(readings, cases[0].name, options)


def _measure(options: argparse.Namespace, cases: list[Case]) -> Readings:
    image = image_file(options.image) if options.image else small(1)[0]
    body = single(image) if options.columns is None else with_columns(image, options.columns)
    bundle = Path(os.environ.get("TANDEM_BUNDLE", DEFAULT_BUNDLE))
    settings = Settings(bundle, [image], cores(), options.connections, options.rounds, options.seconds, options.out)
    readings = Readings()
    for first in range(1, options.rounds + 1, ROUNDS_PER_START):
        with contextlib.ExitStack() as stack:
            servers: dict[tuple[Path, str], Server] = {}
            for checkout, setting in {(case.checkout, case.setting): None for case in cases}:
                log = options.out / f"server-{len(servers)}.log"
                environ = functools.partial(_variables, setting)
                servers[checkout, setting] = stack.enter_context(
                    running(options.serve, log=log, checkout=checkout, environ=environ)
                )
            for round_ in range(first, min(first + ROUNDS_PER_START, options.rounds + 1)):
                # The order alternates, so that no case is always measured first.
                for case in cases if round_ % 2 else cases[::-1]:
                    cost = closed_loop.measure(
                        servers[case.checkout, case.setting],
                        body,
                        options.out,
                        connections=options.connections,
                        seconds=options.seconds,
                        query=case.query,
                        headers=_as_mapping(case.header),
                    )
                    readings.add(case.name, round_, cost.figures())
                if options.max_ratio is not None:
                    readings.add(WORK_ALONE, round_, work_alone.measure(settings))
    return readings


def _print_ratios(readings: Readings, case: Case, first: Case, options: argparse.Namespace) -> None:
    """Print the CPU time of a case in ratio to each case that it is compared with."""
    baselines = [WORK_ALONE]
    if case.checkout == first.checkout and options.against:
        baselines.append(replace(case, checkout=options.against.absolute()).name)
    baselines.append(replace(first, checkout=case.checkout).name)
    for baseline in baselines:
        cpu, p99 = (readings.ratio(case.name, baseline, each) for each in (closed_loop.CPU_US, closed_loop.P99_MS))
        if cpu and baseline != case.name:
            latency = f", {_describe(p99)} times its p99" if p99 else ""
            print(f"{case.name}: {_describe(cpu)} times the CPU of {baseline}{latency}")


def _check_limits(readings: Readings, name: str, options: argparse.Namespace) -> int:
    """Compare the first case with the limits; 1 where one is exceeded."""
    cost = readings.spread(name, closed_loop.CPU_US)
    ratio = readings.ratio(name, WORK_ALONE, closed_loop.CPU_US)
    missed = []
    if cost and options.max_cpu_ms is not None and (cpu_ms := cost.median / 1000) > options.max_cpu_ms:
        missed.append(f"a request costs {cpu_ms:.3f} ms of CPU, the limit is {options.max_cpu_ms:g} ms")
    if ratio and ratio.median > (limit := options.max_ratio):
        missed.append(f"a request costs {_describe(ratio)} times the CPU of the work alone, the limit is {limit:g}")
    for line in missed:
        print(f"objective missed: {line}", file=sys.stderr)
    return 1 if missed else 0


def _describe(ratio: Spread) -> str:
    return f"{ratio.median:.3f} ({ratio.low:.3f}..{ratio.high:.3f})"


def _as_mapping(header: str) -> Mapping[str, str]:
    name, _, value = header.partition(":")
    return {name: value.strip()} if header else {}


def _variables(setting: str, _: int = 0) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(setting))


def _setting(text: str) -> str:
    if not all(_SETTING.fullmatch(word) for word in shlex.split(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return text


def _header(text: str) -> str:
    if text and not _HEADER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 'Name: value' in ASCII")
    return text
