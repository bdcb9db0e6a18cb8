import pytest

import snapshotter
from snapshotter.errors import UsageError


@pytest.mark.parametrize("every_s", [0, -1, 1e-400, float("nan"), float("inf"), 1e12])
def test_an_interval_that_is_no_time_is_refused(every_s: float) -> None:
    with pytest.raises(UsageError, match="every_s must be a number of seconds above zero"):
        next(snapshotter.watch(1, every_s))
