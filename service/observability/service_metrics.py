"""what happens ──▶ Prometheus: bounded labels, and the sum over all worker processes, the departed included."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from models.errors import TandemError
from models.imaging.decode import WARNINGS
from service import coordination
from service.observability.decision_metrics import DecisionMetrics
from service.observability.metric_families import (
    AGREES,
    CHANGES,
    FAMILIES,
    IMAGES,
    LOOKUPS,
    REASONS,
    REQUEST_S,
    SAMPLED,
    STAGE_S,
    STAGES,
    Family,
)
from service.observability.shared_memory import Counter, Histogram, Tally, Totals, read_totals
from service.problems import STATUS, code_of

if TYPE_CHECKING:
    from models.runtime.engine_types import Result
    from models.runtime.head_answers import Answered

logger = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST
SAMPLE_INTERVAL_S = 0.25


class Metrics:
    """The metrics of one process. Making it does no I/O: the file is opened by `start` or the first thing counted.

    Each method is called by one thread at a time: `observe_batch` by the device's, `model_changed` and `set_model` by
    the one that changes models, `image_warned` by any, the others by the event loop's.
    """

    def __init__(self) -> None:
        self._forget()
        self._warning = threading.Lock()
        self._stopping = threading.Event()
        self._sampler: threading.Thread | None = None

    def _forget(self) -> None:
        """Lets the next use open a file of its own."""
        self._requests: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._counters: dict[tuple[str, str], Counter] = {}
        self._latency: dict[str, Histogram] = {}
        self._measured: dict[tuple[str, tuple[str, ...]], Counter] = {}
        self._models: dict[tuple[str, ...], Counter] = {}
        self._sources: dict[str, tuple[Counter, Callable[[], float]]] = {}
        for name in ("_tally", "_stages", "_before", "_batch", "_last_answer", "_decisions"):
            self.__dict__.pop(name, None)

    def start(self, *, workers: int, deadline_s: float) -> None:
        """Shows what is bounded as zeros, and samples four times a second from now on.

        Raises:
            TallyError: there is no room for the numbers.
        """
        for name, label, values in (
            ("tandem_refusals", "code", STATUS),
            ("tandem_images", "result", ("ok",)),
            ("tandem_image_warnings", "kind", WARNINGS),
            ("tandem_batches", "reason", REASONS),
            ("tandem_model_changes", "result", CHANGES),
            ("tandem_cache_lookups", "result", LOOKUPS),
            ("tandem_shadow_decisions", "agree", AGREES),
        ):
            assert FAMILIES[name].labels == (label,)
            for value in values:
                self._counter(name, value)
        self.sample({"tandem_workers": lambda: workers, "tandem_deadline_seconds": lambda: deadline_s})
        if self._sampler is None:
            self._sampler = threading.Thread(target=self._keep_sampling, name="metrics", daemon=True)
            self._sampler.start()

    def close(self) -> None:
        """Ends sampling: the process's gauges vanish, its counters stay. It may be started again."""
        self._stopping.set()
        if self._sampler is not None:
            self._sampler.join()
            self._sampler = None
        self._stopping.clear()
        if "_tally" in self.__dict__:
            self.sample_now()
            self._tally.close()
        self._forget()

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Counts a request; `route` is the path of a route, or `other`."""
        found = self._requests.get((route, status))
        if found is None:
            found = self._remember(route, status)
        found[0].inc()
        found[1].observe(seconds)

    def refused(self, code: str) -> None:
        """Counts a request that was answered with a problem; an unknown code is `internal`."""
        self._counter("tandem_refusals", code if code in STATUS else "internal").inc()

    def count_images(self, result: str, count: int = 1) -> None:
        """Counts images by result: `ok` or the code of an error."""
        self._counter("tandem_images", result if result in STATUS or result == "ok" else "internal").inc(count)

    def image_warned(self, kind: str) -> None:
        """Counts a harmless fault that was mended in an image, one of `WARNINGS`; any thread may."""
        with self._warning:
            self._counter("tandem_image_warnings", kind).inc()

    def observe_stages(self, decode_s: float, queue_s: float) -> None:
        """Measures one request before the embedder."""
        decode, queue = self._before
        decode.observe(decode_s)
        queue.observe(queue_s)

    def observe_images(self, answers: Sequence[Result | TandemError]) -> None:
        """Counts the images of one request, and the time of its last answered one before the embedder."""
        last = None
        answered = 0
        for answer in answers:
            if isinstance(answer, TandemError):
                self.count_images(code_of(answer))
            else:
                last = answer
                answered += 1
        if last is not None:
            self.count_images("ok", answered)
            self._last_answer.set(time.time())
            self.observe_stages(last.decode_s, last.queue_s)

    def observe_decisions(self, decided: Sequence[Answered]) -> None:
        """Counts the decisions on the images of one request."""
        self._decisions.observe(decided)

    def observe_batch(self, size: int, reason: str, embed_s: float, decide_s: float) -> None:
        """Measures one run of the engine; `size` are the images that it embedded, `reason` is one of `REASONS`."""
        images, embed, decide = self._batch
        decide.observe(decide_s)
        if size:
            images.observe(size)
            embed.observe(embed_s)
            self._counter("tandem_batches", reason).inc()

    def looked_up(self, *, hits: int, misses: int) -> None:
        """Counts images looked up in the cache."""
        for result, count in zip(LOOKUPS, (hits, misses), strict=True):
            if count:
                self._counter("tandem_cache_lookups", result).inc(count)

    def model_changed(self, result: str) -> None:
        """Counts a live change of the model, `ok` or `refused`."""
        self._counter("tandem_model_changes", result).inc()

    def shadow_decided(self, *, agrees: bool) -> None:
        """Counts a decision of the shadow; on the shadow's thread."""
        self._counter("tandem_shadow_decisions", AGREES[0 if agrees else 1]).inc()

    def set_measured(self, name: str, value: float, *labels: str) -> None:
        """Sets a gauge of what `python -m feedback watch` has measured; by one thread."""
        found = self._measured.get((name, labels))
        if found is None:
            found = self._measured[name, labels] = self._tally.counter(name, labels, FAMILIES[name].rule)
        found.set(value)

    def set_model(self, model: str, device: str, precision: str) -> None:
        """Names what this process serves from now on."""
        labels = (model, device, precision)
        if labels not in self._models:
            self._models[labels] = self._tally.counter("tandem_model_info", labels, "livesum")
        for known, number in self._models.items():
            number.set(float(known == labels))

    def sample(self, sources: Mapping[str, Callable[[], float]]) -> None:
        """Has metrics read from callables, in a thread of its own: a gauge's value, a counter's total so far.

        Raises:
            KeyError: a name that is not in `SAMPLED`.
        """
        for name, source in sources.items():
            if name not in SAMPLED:
                raise KeyError(f"{name} is not sampled; known are {', '.join(sorted(SAMPLED))}")
            former = self._sources.get(name)
            number = former[0] if former else self._tally.counter(name, (), FAMILIES[name].rule)
            self._sources[name] = (number, source)
        self.sample_now()

    def sample_now(self) -> None:
        """Reads the callables; one that fails is not a number."""
        for name, (number, source) in list(self._sources.items()):
            try:
                number.set(float(source()))
            except Exception:  # whatever it is, the others must still be sampled
                logger.exception("%s cannot be sampled", name)
                self._sources[name] = (number, lambda: math.nan)
                number.set(math.nan)

    def exposition(self) -> bytes:
        """The metrics of every worker, this one's gauges as they are now."""
        self.sample_now()
        return exposition()

    def _keep_sampling(self) -> None:
        while not self._stopping.wait(SAMPLE_INTERVAL_S):
            self.sample_now()

    @cached_property
    def _tally(self) -> Tally:
        return Tally.open(coordination.directory())

    @cached_property
    def _stages(self) -> dict[str, Histogram]:
        return {stage: self._tally.histogram("tandem_stage_seconds", (stage,), STAGE_S) for stage in STAGES}

    @cached_property
    def _decisions(self) -> DecisionMetrics:
        return DecisionMetrics(self._tally)

    @cached_property
    def _last_answer(self) -> Counter:
        return self._tally.counter("tandem_last_answer_timestamp_seconds", (), "livemax")

    @cached_property
    def _before(self) -> tuple[Histogram, Histogram]:
        return self._stages["decode"], self._stages["queue"]

    @cached_property
    def _batch(self) -> tuple[Histogram, Histogram, Histogram]:
        images = self._tally.histogram("tandem_batch_images", (), IMAGES)
        return images, self._stages["embed"], self._stages["decide"]

    def _counter(self, name: str, label: str) -> Counter:
        found = self._counters.get((name, label))
        if found is None:
            found = self._counters[name, label] = self._tally.counter(name, (label,))
        return found

    def _remember(self, route: str, status: int) -> tuple[Counter, Histogram]:
        if route not in self._latency:
            self._latency[route] = self._tally.histogram("tandem_request_seconds", (route,), REQUEST_S)
        found = (self._tally.counter("tandem_requests", (route, str(status))), self._latency[route])
        self._requests[route, status] = found
        return found


def exposition() -> bytes:
    """The metrics of every worker, in Prometheus' text format; gauges as of their last sampling."""
    registry = CollectorRegistry()
    registry.register(_Families(read_totals(coordination.directory())))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        """Each family, with its series in a fixed order."""
        metrics = {family.name: Metric(family.name, family.help, family.kind) for family in FAMILIES.values()}
        for (name, values), numbers in sorted(self._totals.numbers.items()):
            family = FAMILIES[name]
            labels = dict(zip(family.labels, values, strict=True))
            if family.kind == "histogram":
                _add_histogram(metrics[name], family, labels, numbers)
            elif family.kind == "counter":
                metrics[name].add_sample(f"{name}_total", labels, numbers[0])
            elif numbers[0] or not family.is_set_of_labels:
                metrics[name].add_sample(name, labels, numbers[0])
        yield from (metric for metric in metrics.values() if metric.samples)


def _add_histogram(metric: Metric, family: Family, labels: dict[str, str], numbers: Sequence[float]) -> None:
    count = 0.0
    for bound, number in zip((*family.bounds, math.inf), numbers, strict=False):  # the last number is the sum
        count += number
        le = floatToGoString(bound)  # type: ignore[no-untyped-call]
        metric.add_sample(f"{family.name}_bucket", {**labels, "le": le}, count)
    metric.add_sample(f"{family.name}_count", labels, count)
    metric.add_sample(f"{family.name}_sum", labels, numbers[-1])
