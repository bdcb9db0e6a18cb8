from __future__ import annotations

import pytest

from snapshotter.attach.payload import amalgamate


@pytest.mark.parametrize("entry", ["carrier", "entry", "rescue", "start"])
def test_the_probe_as_it_is_can_be_merged(entry: str) -> None:
    compile(amalgamate(entry=entry), "<probe>", "exec")
