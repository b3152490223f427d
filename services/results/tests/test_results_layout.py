"""The keys: nothing of one job, task or epoch lies under the prefix of another."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from frameloom.results import layout

IDS = st.from_regex(r"\A[a-z0-9-]{1,8}\Z")
EPOCHS = st.integers(0, 999_999)


@given(IDS, IDS, EPOCHS, st.integers(0, 99_999_998))
def test_chunks_sort_by_their_sequence(job: str, task: str, epoch: int, seq: int) -> None:
    assert layout.chunk(job, task, epoch, seq) < layout.chunk(job, task, epoch, seq + 1)


@given(st.sets(st.tuples(IDS, IDS, EPOCHS), min_size=2, max_size=4))
def test_epochs_do_not_share_a_prefix(places: set[tuple[str, str, int]]) -> None:
    for here, there in permutations(places, 2):
        assert not layout.chunk(*there, 0).startswith(layout.chunks_of_epoch(*here))
        assert not layout.manifest(*there).startswith(layout.results_of_epoch(*here))


@given(IDS, IDS, IDS, EPOCHS)
def test_a_jobs_prefix_holds_all_of_it_and_nothing_else(job: str, other: str, name: str, epoch: int) -> None:
    chunk, manifest = layout.chunk(job, name, epoch, 0), layout.manifest(job, name, epoch)
    assert chunk.startswith(layout.chunks_of_job(job))
    assert manifest.startswith(layout.results_of_job(job))
    if other != job:
        assert not chunk.startswith(layout.chunks_of_job(other))
        assert not manifest.startswith(layout.results_of_job(other))
