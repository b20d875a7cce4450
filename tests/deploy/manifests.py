"""The Kubernetes manifests, as kustomize builds them."""

from __future__ import annotations

import functools
import subprocess
from typing import Any

import yaml

from deploy.box import ROOT, need

FOLDER = ROOT / "docs" / "deploy" / "kubernetes"
KUSTOMIZATIONS = ("proxy", "clients", "sidecar")

Object = dict[str, Any]


@functools.cache
def built(name: str) -> list[Object]:
    """All objects of a kustomization."""
    need("kubectl")
    done = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER / name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def find(name: str, kind: str, called: str | None = None) -> Object:
    """The one object of this kind, or the one of this name."""
    (found,) = [
        each for each in built(name) if each["kind"] == kind and called in (None, each["metadata"]["name"])
    ]
    return found


def pod_specs() -> list[tuple[str, Object]]:
    """Each pod template's spec, with where it comes from."""
    return [
        (f"{name} {each['metadata']['name']}", each["spec"]["template"]["spec"])
        for name in KUSTOMIZATIONS
        for each in built(name)
        if "template" in each.get("spec", {})
    ]


def containers(spec: Object) -> list[Object]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def container(spec: Object, name: str) -> Object:
    (found,) = [each for each in containers(spec) if each["name"] == name]
    return found
