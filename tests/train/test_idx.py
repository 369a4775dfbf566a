"""IDX files: what is written comes back; what is damaged is named."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glyphlite.runtime import DatasetError
from glyphlite.train.idx import idx_bytes, parse_idx, read_idx


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=6)))
def test_written_arrays_come_back(array):
    assert np.array_equal(parse_idx(idx_bytes(array), "x"), array)


@given(hnp.arrays(np.uint8, (3, 4, 5)), st.integers(0, 60))
def test_a_shorter_file_is_refused(array, length):
    with pytest.raises(DatasetError, match=r"cut short|no IDX"):
        parse_idx(idx_bytes(array)[:length], "x")


def test_gzip_and_plain_files_read_alike(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "plain").write_bytes(idx_bytes(array))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(idx_bytes(array)))
    assert np.array_equal(read_idx(tmp_path / "plain", 3), read_idx(tmp_path / "packed.gz", 3))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no IDX file"),
        (b"<html>", "no IDX file"),
        (b"\0\0\x0d\x01\0\0\0\0", "type 0x0d"),
        (b"\0\0\x08\x01\0\0\0\x02ab", "1 dimensions; wanted 3"),
        (idx_bytes(np.zeros((1, 2, 2), np.uint8)) + b"x", "too long"),
        (b"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "cut short"),
    ],
)
def test_what_is_no_idx_of_images_is_named(data, message):
    with pytest.raises(DatasetError, match=message):
        parse_idx(data, "file", 3)


def test_a_damaged_gzip_and_a_missing_file_are_named(tmp_path):
    packed = gzip.compress(idx_bytes(np.zeros((5, 28, 28), np.uint8)))
    (tmp_path / "cut.gz").write_bytes(packed[:-10])
    for name, message in (("cut.gz", "cut-short gzip"), ("none.gz", "cannot be read")):
        with pytest.raises(DatasetError, match=message):
            read_idx(tmp_path / name)
