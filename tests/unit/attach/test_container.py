"""The container of a process is read from what runtimes write into cgroups and mounts."""

from __future__ import annotations

import pytest

from snapshotter.attach.container import from_cgroup, from_mounts

ID = "4f0c8b2d11aa" + "0123456789abcdef" * 3 + "0123"
OTHER = "f" * 64


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/docker/{ID}", "docker:4f0c8b2d11aa"),
        (f"/system.slice/docker-{ID}.scope", "docker:4f0c8b2d11aa"),
        (f"/docker/{OTHER}/docker/{ID}", "docker:4f0c8b2d11aa"),
        (f"/docker/{ID}/init.scope", "docker:4f0c8b2d11aa"),
        (
            f"/kubepods.slice/kubepods-burstable-pod1d5f_2a.slice/cri-containerd-{ID}.scope",
            "containerd:4f0c8b2d11aa",
        ),
        (f"/kubepods/besteffort/pod1d5f-2a/{ID}", "kubernetes:4f0c8b2d11aa"),
        (f"/kubepods.slice/crio-{ID}.scope", "cri-o:4f0c8b2d11aa"),
        (f"/machine.slice/libpod-{ID}.scope/container", "podman:4f0c8b2d11aa"),
        (f"/user.slice/user-1000.slice/libpod-{ID}.scope", "podman:4f0c8b2d11aa"),
        (f"/ecs/55091c13-b8cf-4801-b527-f4601742204d/{ID}", "container:4f0c8b2d11aa"),
        (f"/ecs/55091c13b8cf4801/{ID[:32]}-1234567890", "ecs:4f0c8b2d11aa"),
        (f"/../{ID}", "container:4f0c8b2d11aa"),
        ("/lxc.payload.web/init.scope", "lxc:web"),
        ("/", None),
        ("/system.slice/orders.service", None),
        ("/user.slice/user-1000.slice/session-2.scope", None),
    ],
)
def test_container_is_named_by_runtime_and_short_id(path: str, expected: str | None) -> None:
    assert from_cgroup(f"0::{path}\n") == expected
    assert from_cgroup(f"9:name=systemd:/\n4:memory:{path}\n") == expected


def test_container_is_found_by_what_its_runtime_mounted() -> None:
    line = (
        "533 518 254:1 /var/lib/docker/containers/{}/hostname /etc/hostname rw - ext4 /dev/vda rw"
    )
    assert from_mounts("1 2 0:1 / / rw - overlay o rw\n" + line.format(ID)) == "docker:4f0c8b2d11aa"


@pytest.mark.parametrize("source", [f"/home/{ID}/x", "/etc/hostname"])
def test_other_mounts_say_nothing(source: str) -> None:
    assert from_mounts(f"5 6 254:1 {source} /data rw - ext4 /dev/vda rw\n") is None
