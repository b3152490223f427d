from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameloom.worker.frames import Sampling
from frameloom.worker.frames.sampling import JumpPlanner, Sampler


def chosen(sampling: Sampling, times: list[float]) -> list[float]:
    sampler = Sampler(sampling)
    return [time for time in times if sampler.wants(time)]


def test_first_frame_at_or_after_each_grid_point() -> None:
    times = [i / 25 for i in range(50)]
    assert chosen(Sampling.per_second(5), times) == pytest.approx([i / 5 for i in range(10)])
    ntsc = [i * 1001 / 24000 for i in range(48)]
    assert chosen(Sampling.per_second(5), ntsc)[:3] == pytest.approx([0, 5 * 1001 / 24000, 10 * 1001 / 24000])


def test_rounded_time_stamps_lose_no_frame() -> None:
    times = [round(i / 30, 3) for i in range(90)]
    assert len(chosen(Sampling.per_second(30), times)) == 90


def test_a_rate_above_the_videos_gives_every_frame() -> None:
    times = [i / 10 for i in range(20)]
    assert chosen(Sampling.per_second(60), times) == times


def test_a_gap_does_not_cause_a_burst() -> None:
    times = [0.0, 0.1, 5.0, 5.04, 5.08, 5.21]
    assert chosen(Sampling.per_second(5), times) == [0.0, 5.0, 5.21]


@given(st.floats(0.01, 120), st.lists(st.floats(0.0, 2.0), max_size=60))
def test_never_more_than_the_rate(rate: float, gaps: list[float]) -> None:
    times, now = [], 0.0
    for gap in gaps:
        now += gap
        times.append(now)
    picked = chosen(Sampling.per_second(rate), times)
    assert len(picked) <= now * rate + 1.5
    assert not times or picked[0] == times[0]


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_senseless_rates(rate: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Sampling.per_second(rate)


def test_jumps_wait_until_the_distance_of_key_frames_is_known() -> None:
    planner = JumpPlanner.for_samplings([Sampling.per_second(0.1)])
    planner.saw_key(0.0)
    assert planner.target(0.1, 10.0) is None
    planner.saw_key(2.0)
    assert planner.target(2.1, 10.0) == 9.5
    assert planner.target(8.0, 10.0) is None, "the wanted frame is in this group of pictures, or the next"


def test_a_jump_that_went_back_ends_jumping() -> None:
    planner = JumpPlanner.for_samplings([Sampling.per_second(0.1)])
    planner.saw_key(0.0)
    planner.saw_key(2.0)
    planner.landed(2.1, 0.0)
    assert planner.target(2.1, 100.0) is None


def test_dense_rates_never_jump() -> None:
    assert not JumpPlanner.for_samplings([Sampling.per_second(1)]).enabled
    assert not JumpPlanner.for_samplings([Sampling.every_frame()]).enabled


def test_nobody_jumps_over_what_another_wants() -> None:
    sparse, dense = Sampling.per_second(0.1), Sampling.per_second(1)
    assert JumpPlanner.for_samplings([sparse, Sampling.per_second(0.2)]).enabled
    assert not JumpPlanner.for_samplings([sparse, dense]).enabled
    assert not JumpPlanner.for_samplings([sparse, Sampling.key_frames()]).enabled
