"""A pod that the chart makes, as a folder of this machine."""

import copy
import os
import re
import subprocess
from pathlib import Path

import helm_python as helm
import yaml

CHART = Path(__file__).parent / "larder"
LARDER = os.environ["LARDER"]


def render(values):
    """Every object, and the notes."""
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        files = chart.render(values, name="larder", namespace="build")
    notes = files.pop("larder/templates/NOTES.txt")
    objects = [item for text in files.values() for item in yaml.safe_load_all(text) if item]
    return objects, notes


def one(objects, *kinds):
    found = [item for item in objects if item["kind"] in kinds]
    assert len(found) == 1, f"{len(found)} of {kinds}"
    return found[0]


def pod(objects):
    return one(objects, "StatefulSet", "DaemonSet")["spec"]["template"]


def container(objects):
    return pod(objects)["spec"]["containers"][0]


def with_value(values, path, value):
    """A copy in which `path` has another value."""
    changed = copy.deepcopy(values)
    *parents, last = path.split(".")
    inner = changed
    for name in parents:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return changed


class Place:
    """A pod's files and variables, as a folder of this machine."""

    def __init__(self, folder, objects):
        self.folder = Path(folder)
        self.objects = objects
        spec = pod(objects)["spec"]
        self.mounts = {mount["mountPath"]: mount["name"] for mount in container(objects)["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for path, name in self.mounts.items():
            self.fill(self.at(path), volumes.get(name, {}))
        for file in self.folder.rglob("*.toml"):
            file.write_text(self.moved(file.read_text()))

    def at(self, path):
        return self.folder / path.strip("/").replace("/", "-")

    def moved(self, text):
        """`text` with each folder of the pod where it is here, the longest first."""
        for path in sorted(self.mounts, key=len, reverse=True):
            text = re.sub(re.escape(path) + r"(?=/|$)", str(self.at(path)), text, flags=re.MULTILINE)
        return text

    def fill(self, folder, volume):
        folder.mkdir(mode=0o700)
        if "projected" in volume:
            for source in volume["projected"]["sources"]:
                for item in source["secret"]["items"]:
                    file = folder / item["path"]
                    file.parent.mkdir(exist_ok=True)
                    file.write_text(f"what-a-secret-holds-{item['path']}-in-32-bytes-and-more")
        elif "secret" in volume or volume.get("name") == "authorities":
            make_certificate(folder)
        elif "configMap" in volume:
            for name, text in one(self.objects, "ConfigMap")["data"].items():
                (folder / name).write_text(text)

    def environment(self, **more):
        own = {item["name"]: self.moved(item["value"]) for item in container(self.objects)["env"]}
        # What Kubernetes would set for a service of this name, were it asked to.
        links = {"LARDER_SERVICE_HOST": "10.0.0.1", "LARDER_PORT": "tcp://10.0.0.1:8585"}
        return {**own, **links, **more}

    def command(self, word):
        _, _, *flags = container(self.objects)["command"]
        return [LARDER, word, *(self.moved(flag) for flag in flags)]

    def check(self):
        done = subprocess.run(self.command("check"), env=self.environment(), capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


def make_certificate(folder):
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=larder"
    files = ["-keyout", folder / "tls.key", "-out", folder / "tls.crt"]
    subprocess.run([*command.split(), "-addext", "subjectAltName=DNS:larder", *files], check=True, capture_output=True)
    (folder / "tls.key").chmod(0o600)
    for name in ["ca.crt", "authorities.pem"]:
        (folder / name).write_text((folder / "tls.crt").read_text())
