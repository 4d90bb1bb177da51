"""The generated corpus through the decoder: the pixels of a second decoder, or the right refusal."""

from __future__ import annotations

import numpy as np
import pytest

from models.bundle.input_spec import InputSpec
from models.errors import BadImage
from models.imaging.decode import decode
from tests.imaging_corpus.corpus_files import corpus_files
from tests.imaging_corpus.files import Dice, ycc
from tests.imaging_corpus.jpeg_corpus.jpeg_files import SAMPLINGS, adobe, planes_of
from tests.imaging_corpus.jpeg_corpus.jpeg_writer import Coding, write_jpeg
from tests.imaging_corpus.verdict import Verdicts, judge

SPECS = [
    pytest.param(InputSpec(height=20, width=27, channels=3), id="in colour"),
    pytest.param(InputSpec(height=20, width=27, channels=1), id="in grey"),
    pytest.param(InputSpec(height=5, width=7, channels=3, decoder="fraction"), id="at a fraction"),
]


def check(verdicts: Verdicts) -> None:
    assert not verdicts.wrong, f"{len(verdicts.wrong)} wrong:\n" + "\n".join(verdicts.wrong[:40])


def test_a_sample_of_the_corpus_looks_as_a_second_decoder_shows_it() -> None:
    check(judge(corpus_files(0.1)))


@pytest.mark.slow
def test_the_whole_corpus_looks_as_a_second_decoder_shows_it() -> None:
    files = corpus_files()
    assert len({file.data for file in files}) >= 2000
    verdicts = judge(files)
    print(f"\n{verdicts.table()}\n{len(files)} files, {len(verdicts.wrong)} wrong")
    check(verdicts)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "coding",
    [
        pytest.param(Coding(SAMPLINGS["4:2:0"]), id="baseline"),
        pytest.param(Coding(SAMPLINGS["4:2:0"], restart=1), id="with restart markers"),
        pytest.param(Coding(SAMPLINGS["4:2:0"], interleaved=False), id="scan by scan"),
        pytest.param(Coding(SAMPLINGS["4:1:0"]), id="in a sampling that TurboJPEG does not name"),
        pytest.param(Coding([(1, 1)]), id="grey"),
        pytest.param(Coding([(2, 1), (1, 1), (1, 1), (1, 1)], markers=adobe(0)), id="CMYK"),
        pytest.param(Coding(SAMPLINGS["4:4:4"], flat=True), id="with Huffman tables of its own"),
    ],
)
def test_of_a_jpeg_cut_short_only_the_end_marker_may_be_missing(coding: Coding, spec: InputSpec) -> None:
    levels = Dice(5).picture(20, 27, len(coding.sampling))
    data = write_jpeg(planes_of(ycc(levels) if levels.shape[-1] == 3 else levels), coding)
    whole = decode(data, spec)
    last = len(data) - 2 - (1 if data[-3] else 2)  # without the last coded byte
    for place in range(3, last + 1):
        with pytest.raises(BadImage):
            decode(data[:place], spec)
        with pytest.raises(BadImage):
            decode(data[:place] + b"\xff\xd9", spec)
    for place in (len(data) - 1, len(data) - 2):
        np.testing.assert_array_equal(decode(data[:place], spec), whole)
