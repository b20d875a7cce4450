"""The Kubernetes manifests: valid by published schemas, hardened, consistent; their arguments given to the real proxy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from brickscope.policy.load import load_policy
from deploy.balanced import wait_until
from deploy.box import USER, Box, need
from deploy.boxed_proxy import IMAGE_PATH, BoxedProxy, boxed_proxy
from deploy.manifests import FOLDER, KUSTOMIZATIONS, Object, built, container, containers, find, pod_specs
from e2e.gate import CATALOGS, POLICY, QUERIES
from lab.workspace.server import FakeWorkspace

OLDEST, NEWEST = "1.31", kubernetes_validate.latest_version()
ENTRYPOINT = ["brickscope", "proxy"]
BY_HAND = {"brickscope-ca", "brickscope-bundle", "nightly-export"}
"""What docs/deploy.md has made by a command, since it holds a key, comes from one, or is the workload's own."""
MODEST = {"add": ["NET_ADMIN"], "drop": ["ALL"]}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_every_object_is_one_of_the_published_schemas(name: str, version: str) -> None:
    for each in built(name):
        kubernetes_validate.validate(each, version, strict=True)


def test_an_unknown_field_is_found() -> None:
    workload = find("proxy", "StatefulSet")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**workload, "spec": {**workload["spec"], "replica": 1}}, NEWEST, strict=True
        )


def test_every_container_is_hardened() -> None:
    specs = pod_specs()
    assert len(specs) == 3
    for where, spec in specs:
        assert spec["automountServiceAccountToken"] is False, where
        assert spec["securityContext"]["runAsNonRoot"] is True, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
            assert not spec.get(name), where
        assert not [volume for volume in spec["volumes"] if "hostPath" in volume], where
        for each in containers(spec):
            place = f"{where} {each['name']}"
            rights = each["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False, place
            assert rights["readOnlyRootFilesystem"] is True, place
            assert not rights.get("privileged"), place
            if each["name"] == "network":
                assert rights["capabilities"] == MODEST, place
            else:
                assert rights["capabilities"] == {"drop": ["ALL"]}, place
                user = rights.get("runAsUser", spec["securityContext"].get("runAsUser"))
                assert user > 0, place
            assert "memory" in each["resources"]["limits"], place
            assert {"cpu", "memory"} <= set(each["resources"]["requests"]), place
            tag = each["image"].rpartition("/")[2].partition(":")[2]
            assert tag not in ("", "latest"), place


def test_the_workload_beside_the_sidecar_is_another_user_and_has_no_key() -> None:
    spec = find("sidecar", "Deployment")["spec"]["template"]["spec"]
    proxy, agent = container(spec, "proxy"), container(spec, "agent")
    assert proxy["restartPolicy"] == "Always"
    assert proxy["securityContext"]["runAsUser"] == USER != agent["securityContext"]["runAsUser"]
    assert {mount["name"] for mount in agent["volumeMounts"]} == {"trust"}
    assert all(mount["readOnly"] for mount in agent["volumeMounts"])
    order = [each["name"] for each in spec["initContainers"]]
    assert order == ["authority", "bundle", "network", "proxy"], (
        "the network is closed before the workload starts"
    )


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_everything_that_is_named_is_there(name: str) -> None:
    objects = built(name)
    made = {each["metadata"]["name"] for each in objects if each["kind"] in ("ConfigMap", "Secret")} | BY_HAND
    for each in objects:
        if "template" not in each.get("spec", {}):
            continue
        spec = each["spec"]["template"]["spec"]
        assert each["spec"]["selector"]["matchLabels"] == each["spec"]["template"]["metadata"]["labels"]
        claims = {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in spec["volumes"]} | claims
        used: set[str] = set()
        for one in containers(spec):
            mounted = {mount["name"] for mount in one.get("volumeMounts", [])}
            assert mounted <= volumes
            used |= mounted
            for source in one.get("envFrom", []):
                assert source["configMapRef"]["name"] in made
            ports = {port["name"] for port in one.get("ports", [])}
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = one.get(kind, {}).get("httpGet")
                assert asked is None or (asked["port"] in ports and asked["path"] in ("/readyz", "/healthz"))
        assert used == volumes
        for volume in spec["volumes"]:
            for source, key in (("configMap", "name"), ("secret", "secretName")):
                if source in volume:
                    assert volume[source][key] in made


def test_ports_selectors_and_names_agree() -> None:
    workload = find("proxy", "StatefulSet")
    labels = workload["spec"]["template"]["metadata"]["labels"]
    ports = {
        port["name"]: port["containerPort"]
        for port in container(workload["spec"]["template"]["spec"], "proxy")["ports"]
    }
    assert ports == {"proxy": 8080, "status": 9464}
    for service in ("brickscope", workload["spec"]["serviceName"]):
        spec = find("proxy", "Service", service)["spec"]
        assert spec["selector"] == labels
        assert all(ports[port["targetPort"]] == port["port"] for port in spec["ports"])
    assert find("proxy", "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    target = find("proxy", "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("StatefulSet", workload["metadata"]["name"])
    assert find("proxy", "HorizontalPodAutoscaler")["spec"]["minReplicas"] >= 2
    (peer,) = [
        rule["to"][0]
        for rule in find("clients", "NetworkPolicy")["spec"]["egress"]
        if rule["ports"][0]["port"] == 8080
    ]
    assert peer["podSelector"]["matchLabels"] == labels
    assert peer["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": find("proxy", "Namespace")["metadata"]["name"]
    }
    (ingress, _) = find("proxy", "NetworkPolicy")["spec"]["ingress"]
    wanted = ingress["from"][0]["namespaceSelector"]["matchLabels"]
    assert wanted.items() <= find("clients", "Namespace")["metadata"]["labels"].items()
    url = "http://brickscope.brickscope.svc:8080"
    assert find("clients", "ConfigMap")["data"]["HTTPS_PROXY"] == url


def test_a_client_has_no_way_out_but_names_and_the_proxy() -> None:
    spec = find("clients", "NetworkPolicy")["spec"]
    assert spec["podSelector"] == {}, "a label could be left out by who writes the pod"
    assert spec["policyTypes"] == ["Egress"]
    for rule in spec["egress"]:
        (peer,) = rule["to"]
        assert set(peer) == {"namespaceSelector", "podSelector"}, "both, or it means more than this"
        assert all(peer[each]["matchLabels"] for each in peer)
        assert {port["port"] for port in rule["ports"]} in ({53}, {8080})


def test_the_proxy_reaches_nothing_inside() -> None:
    spec = find("proxy", "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    (block,) = [rule["to"][0]["ipBlock"] for rule in spec["egress"] if "ipBlock" in rule["to"][0]]
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(block["except"])


def test_a_pod_has_time_to_let_calls_finish() -> None:
    """The pause before SIGTERM, and then scope_stop_after (30 s unless it is set)."""
    for where, spec in pod_specs():
        for each in containers(spec):
            if each.get("args") and each["name"] == "proxy":
                assert not [word for word in each["args"] if "scope_stop_after" in word], where
                pause = 10 if "lifecycle" in each else 0
                assert spec["terminationGracePeriodSeconds"] >= pause + 30 + 10, where


@pytest.mark.parametrize("name", ["proxy", "sidecar"])
def test_the_policy_in_the_config_map_loads(name: str, tmp_path: Path) -> None:
    (data,) = [
        each["data"] for each in built(name) if each["kind"] == "ConfigMap" and "policy.yaml" in each["data"]
    ]
    (tmp_path / "policy.yaml").write_text(data["policy.yaml"])
    assert load_policy(tmp_path, 0).policy.tokens


def test_both_policies_are_the_same_example() -> None:
    assert (FOLDER / "proxy/policy.yaml").read_text() == (FOLDER / "sidecar/policy.yaml").read_text()


def test_kubectl_makes_the_secret_that_is_mounted(tmp_path: Path, authority: Path) -> None:
    need("kubectl")
    shutil.copytree(authority, tmp_path / "ca")
    done = subprocess.run(
        [
            "kubectl",
            "create",
            "secret",
            "generic",
            "brickscope-ca",
            "--namespace=brickscope",
            "--dry-run=client",
        ]
        + [f"--from-file=ca/{file}" for file in ("mitmproxy-ca.pem", "mitmproxy-dhparam.pem")]
        + ["--output=yaml"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    spec = find("proxy", "StatefulSet")["spec"]["template"]["spec"]
    (secret,) = [volume["secret"] for volume in spec["volumes"] if "secret" in volume]
    assert {item["key"] for item in secret["items"]} == set(yaml.safe_load(done.stdout)["data"])
    assert secret["defaultMode"] & 0o007 == 0


# -- the real proxy --------------------------------------------------------------------------------------------


class ConfigMapVolume:
    """A volume as the kubelet writes it: files are links to ``..data/FILE``, ``..data`` is a link to a folder with a time in
    its name, and an update swaps that one link (pkg/volume/util/atomic_writer.go)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        folder.mkdir()

    def write(self, **files: str) -> None:
        self._count += 1
        old = self.folder / "..data"
        before = old.resolve() if old.is_symlink() else None
        payload = self.folder / f"..2026_11_28_01_0{self._count}_00.1234567890"
        payload.mkdir(mode=0o755)
        for name, text in files.items():
            file = payload / name.replace("__", ".")
            file.write_text(text)
            file.chmod(0o644)
        swap = self.folder / "..data_tmp"
        swap.symlink_to(payload.name)
        swap.rename(old)
        names = {name.replace("__", ".") for name in files}
        for name in names:
            link = self.folder / name
            if not link.is_symlink():
                link.symlink_to(Path("..data") / name)
        for each in self.folder.iterdir():
            if not each.name.startswith("..") and each.name not in names:
                each.unlink()
        if before is not None:
            shutil.rmtree(before)


def _arguments(name: str, kind: str) -> list[str]:
    spec = find(name, kind)["spec"]["template"]["spec"]
    words: list[str] = container(spec, "proxy")["args"]
    return [*ENTRYPOINT, *words]


def _mounts(spec: Object) -> dict[str, str]:
    return {mount["name"]: mount["mountPath"] for mount in container(spec, "proxy")["volumeMounts"]}


@pytest.fixture
def policy_volume(tmp_path: Path) -> ConfigMapVolume:
    volume = ConfigMapVolume(tmp_path / "config-map")
    volume.write(policy__yaml=POLICY)
    return volume


@pytest.fixture
def pod(
    image: Box, tmp_path: Path, workspace: FakeWorkspace, authority: Path, policy_volume: ConfigMapVolume
) -> Iterator[BoxedProxy]:
    """The StatefulSet's container, with its arguments, its user, its mounts and its read-only root."""
    spec = find("proxy", "StatefulSet")["spec"]["template"]["spec"]
    mounts = _mounts(spec)
    assert set(mounts.values()) == {
        "/etc/brickscope/ca",
        "/etc/brickscope/rules",
        "/var/log/brickscope",
        "/var/lib/brickscope",
        "/tmp",
    }
    only = tmp_path / "secret"
    only.mkdir()
    for file in ("mitmproxy-ca.pem", "mitmproxy-dhparam.pem"):
        shutil.copy(authority / file, only / file)
    with boxed_proxy(
        image,
        tmp_path,
        _arguments("proxy", "StatefulSet"),
        workspace,
        only,
        confdir=mounts["ca"],
        rules=policy_volume.folder,
        ca_file=authority / "mitmproxy-ca-cert.pem",
        writable=[mounts["tmp"]],
        environment={"HOME": "/var/lib/brickscope"},
    ) as proxy:
        yield proxy


def test_the_pod_works_and_its_probes_and_its_end_too(pod: BoxedProxy, image: Box) -> None:
    pod.works()
    spec = container(find("proxy", "StatefulSet")["spec"]["template"]["spec"], "proxy")
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert pod.status(spec[kind]["httpGet"]["path"]) == 200
    pause = [word.replace("(10)", "(0)") for word in spec["lifecycle"]["preStop"]["exec"]["command"]]
    assert image.run(pause, user=USER, environment={"PATH": IMAGE_PATH}).returncode == 0
    assert pod.boxed.stop(60) == 0
    assert pod.records("stop")


def test_an_edit_of_the_config_map_is_taken_and_a_bad_one_changes_nothing(
    pod: BoxedProxy, policy_volume: ConfigMapVolume
) -> None:
    def taken(good: int, bad: int) -> None:
        """Until each of both workers, which load by themselves, has seen so many edits."""
        wait_until(
            lambda: (
                sorted(each["loaded"] for each in pod.records("reload"))
                == [False] * 2 * bad + [True] * 2 * good
            ),
            pod.output.read_text,
        )

    def answers() -> list[set[int]]:
        return [{pod.call(path) for _ in range(4)} for path in (CATALOGS, QUERIES)]

    wait_until(lambda: len(pod.records("start")) == 2, pod.output.read_text)
    assert answers() == [{200}, {200}]
    policy_volume.write(policy__yaml=POLICY.replace(f"      - GET {QUERIES}\n", ""))
    taken(good=1, bad=0)
    assert answers() == [{200}, {403}]
    policy_volume.write(policy__yaml="version: 1\ntokens: nonsense\n")
    taken(good=1, bad=1)
    assert answers() == [{200}, {403}], "the last good policy stays in force"
    tokens, _, rules = POLICY.partition("rule_sets:\n")
    policy_volume.write(tokens__yaml=tokens, rules__yaml=f"version: 1\nrule_sets:\n{rules}")
    taken(good=2, bad=1)
    assert answers() == [{200}, {200}]


def test_the_sidecar_makes_an_authority_that_its_workload_trusts(
    image: Box, tmp_path: Path, workspace: FakeWorkspace
) -> None:
    """The init containers' own commands one after the other, then the sidecar with its arguments."""
    spec = find("sidecar", "Deployment")["spec"]["template"]["spec"]
    pod = Box(tmp_path / "pod")
    for path in ("/etc/brickscope/ca", "/trust", "/opt"):
        os.chown(pod.held(path), USER, USER)
    for name in ("authority", "bundle"):
        done = pod.run(
            container(spec, name)["command"],
            user=USER,
            writable=[
                mount["mountPath"]
                for mount in container(spec, name)["volumeMounts"]
                if not mount.get("readOnly")
            ],
            readable={
                "/opt": image.folder / "opt",
                **({"/etc/brickscope/ca": pod.folder / "etc/brickscope/ca"} if name == "bundle" else {}),
            },
            environment={"PATH": IMAGE_PATH, "HOME": "/var/lib/brickscope"},
        )
        assert done.returncode == 0, done.stderr
    bundle = pod.folder / "trust" / "bundle.pem"
    assert bundle.read_text().count("BEGIN CERTIFICATE") > 50
    assert "PRIVATE" not in bundle.read_text()
    arguments: Any = _arguments("sidecar", "Deployment")
    with boxed_proxy(
        image,
        tmp_path,
        arguments,
        workspace,
        pod.folder / "etc/brickscope/ca",
        confdir="/etc/brickscope/ca",
        ca_file=bundle,
        writable=["/tmp"],
        environment={"HOME": "/var/lib/brickscope"},
    ) as proxy:
        proxy.works()
        ready = container(spec, "proxy")["readinessProbe"]["exec"]["command"]
        words = [word.replace("9464", str(proxy.status_port)) for word in ready]
        assert image.run(words, user=USER, environment={"PATH": IMAGE_PATH}).returncode == 0
