"""The container of a process is read from what runtimes write into cgroups and mounts."""

from __future__ import annotations

import pytest

from snapshotter.attach.container import from_cgroup, from_mounts, runtime_in

ID = "4f0c8b2d11aa" + "0123456789abcdef" * 3 + "0123"
OTHER = "f" * 64


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/docker/{ID}", ID),
        (f"/system.slice/docker-{ID}.scope", ID),
        (f"/docker/{OTHER}/docker/{ID}", ID),
        (f"/docker/{ID}/init.scope", ID),
        (f"/kubepods.slice/kubepods-burstable-pod1d5f_2a.slice/cri-containerd-{ID}.scope", ID),
        (f"/kubepods/besteffort/pod1d5f-2a/{ID}", ID),
        (f"/kubepods.slice/crio-{ID}.scope", ID),
        (f"/machine.slice/libpod-{ID}.scope/container", ID),
        (f"/ecs/55091c13-b8cf-4801-b527-f4601742204d/{ID}", ID),
        (f"/ecs/55091c13b8cf4801/{ID[:32]}-1234567890", ID[:32]),
        (f"/../{ID}", ID),
        ("/lxc.payload.web/init.scope", "web"),
        ("/", None),
        ("/system.slice/orders.service", None),
        (f"/system.slice/build-{ID}beef.service", None),
        ("/user.slice/user-1000.slice/session-2.scope", None),
    ],
)
def test_container_is_found_in_the_control_group(path: str, expected: str | None) -> None:
    assert from_cgroup(f"0::{path}\n") == expected
    assert from_cgroup(f"9:name=systemd:/\n4:memory:{path}\n") == expected


def test_container_is_found_by_what_its_runtime_mounted() -> None:
    line = (
        "533 518 254:1 /var/lib/docker/containers/{}/hostname /etc/hostname rw - ext4 /dev/vda rw"
    )
    assert from_mounts("1 2 0:1 / / rw - overlay o rw\n" + line.format(ID)) == ID


@pytest.mark.parametrize("source", [f"/home/{ID}/x", "/etc/hostname"])
def test_other_mounts_say_nothing(source: str) -> None:
    assert from_mounts(f"5 6 254:1 {source} /data rw - ext4 /dev/vda rw\n") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"0::/docker/{ID}", "docker"),
        (f"0::/system.slice/docker-{ID}.scope", "docker"),
        (f"0::/kubepods.slice/cri-containerd-{ID}.scope", "containerd"),
        (f"0::/kubepods.slice/crio-{ID}.scope", "cri-o"),
        (f"0::/machine.slice/libpod-{ID}.scope/container", "podman"),
        (f"0::/kubepods/besteffort/pod1d5f-2a/{ID}", "kubernetes"),
        ("0::/lxc.payload.web/init.scope", "lxc"),
        ("0::/machine.slice/systemd-nspawn@web.service", "systemd-nspawn"),
        (f"5 6 0:1 /var/lib/docker/containers/{ID}/hosts /etc/hosts rw - ext4 d rw", "docker"),
        (f"5 6 0:1 /containers/storage/overlay-containers/{ID}/hosts /etc/hosts rw", "podman"),
        ("5 6 0:1 /var/lib/kubelet/pods/1d5f/etc-hosts /etc/hosts rw", "kubernetes"),
        ("0::/system.slice/docker.service", None),
        ("0::/user.slice/user-1000.slice/session-2.scope", None),
        ("0::/", None),
    ],
)
def test_runtime_is_known_by_its_paths(text: str, expected: str | None) -> None:
    assert runtime_in(text) == expected
