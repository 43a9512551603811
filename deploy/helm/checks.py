"""What holds of the chart: run by `verify`, which names the binary in LARDER. Nothing here reaches a cluster."""

import http.client
import json
import re
import socket
import subprocess
import tempfile
import time
import unittest

import helm_python as helm
import kubernetes_validate
import yaml

from place import CHART, Place, container, one, pod, render, with_value

PAGE = CHART.parents[2] / "docs" / "install" / "kubernetes.md"
CASES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((CHART / "ci").glob("*.yaml"))}
SHOWN = re.findall(r"^```yaml\n# values.yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
CASES |= {f"shown-{number}": yaml.safe_load(text) for number, text in enumerate(SHOWN, 1)}
# The oldest that Chart.yaml admits, and the newest whose schemas are here.
VERSIONS = ["1.26", kubernetes_validate.latest_version()]
# Of an operator; its schema is not among Kubernetes' own.
FOREIGN = {"ServiceMonitor"}
# How long a Larder has to start on a machine that does much else.
PATIENCE = 20


class Rendered(unittest.TestCase):
    """What the values under ci/, and those that the page shows, become."""

    def each(self):
        for name, values in CASES.items():
            yield (name, *render(values))

    def test_nothing_is_found_by_lint(self):
        for name, values in CASES.items():
            report = helm.lint(CHART, values, strict=True)
            grave = [message for message in report["messages"] if message["severity"] > 1]
            self.assertEqual((grave, report["errors"]), ([], []), name)

    def test_every_object_is_one_of_kubernetes(self):
        for _, objects, _ in self.each():
            for item in objects:
                for version in VERSIONS:
                    if item["kind"] not in FOREIGN:
                        kubernetes_validate.validate(item, version, strict=True)

    def test_an_object_with_a_misspelt_member_would_be_found(self):
        objects, _ = render(CASES["default"])
        pod(objects)["spec"]["enableServiceLink"] = False
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(one(objects, "StatefulSet"), VERSIONS[-1], strict=True)

    def test_labels_ports_and_volumes_find_each_other(self):
        for _, objects, _ in self.each():
            owner, spec = one(objects, "StatefulSet", "DaemonSet"), pod(objects)["spec"]
            labels = pod(objects)["metadata"]["labels"].items()
            ports = {port["name"] for port in container(objects)["ports"]}
            services = [item for item in objects if item["kind"] == "Service"]
            self.assertLessEqual(owner["spec"]["selector"]["matchLabels"].items(), labels)
            for service in services:
                self.assertLessEqual(service["spec"]["selector"].items(), labels)
                self.assertLessEqual({port["targetPort"] for port in service["spec"]["ports"]}, ports)
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"]:
                self.assertIn(container(objects)[probe]["httpGet"]["port"], ports)
            volumes = {volume["name"] for volume in spec["volumes"]}
            volumes |= {claim["metadata"]["name"] for claim in owner["spec"].get("volumeClaimTemplates", [])}
            self.assertEqual({mount["name"] for mount in container(objects)["volumeMounts"]}, volumes)
            if owner["kind"] == "StatefulSet":
                self.assertIn(owner["spec"]["serviceName"], {service["metadata"]["name"] for service in services})
            for item in objects:
                if item["kind"] in {"NetworkPolicy", "PodDisruptionBudget"}:
                    selector = item["spec"].get("podSelector") or item["spec"]["selector"]
                    self.assertLessEqual(selector["matchLabels"].items(), labels)
                if item["kind"] == "ServiceMonitor":
                    wanted = item["spec"]["selector"]["matchLabels"].items()
                    meant = [service for service in services if wanted <= service["metadata"]["labels"].items()]
                    self.assertEqual(len(meant), 1)
                    named = {port["name"] for port in meant[0]["spec"]["ports"]}
                    self.assertLessEqual({endpoint["port"] for endpoint in item["spec"]["endpoints"]}, named)

    def test_a_pod_may_do_little(self):
        for _, objects, _ in self.each():
            spec, own = pod(objects)["spec"], container(objects)["securityContext"]
            self.assertIs(spec["automountServiceAccountToken"], False)
            self.assertIs(spec["enableServiceLinks"], False)
            self.assertIs(spec["securityContext"]["runAsNonRoot"], True)
            self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertEqual(own["capabilities"], {"drop": ["ALL"]})
            self.assertIs(own["readOnlyRootFilesystem"], True)
            self.assertIs(own["allowPrivilegeEscalation"], False)

    def test_another_configuration_is_another_pod(self):
        def checksum(values):
            return pod(render(values)[0])["metadata"]["annotations"]["checksum/config"]

        before = checksum(CASES["default"])
        self.assertEqual(checksum(CASES["default"]), before)
        self.assertNotEqual(checksum(with_value(CASES["default"], "config", "log.level = \"debug\"")), before)

    def test_memory_follows_what_larder_may_hold(self):
        def limit(values):
            return container(render(values)[0])["resources"]["limits"]["memory"]

        self.assertEqual(limit(CASES["default"]), f"{256 + 2 * 128 + 512}Mi")
        self.assertEqual(limit(CASES["everything"]), f"{1024 + 2 * 256 + 512}Mi")
        self.assertEqual(limit(with_value(CASES["default"], "resources.limits", {"memory": "3Gi"})), "3Gi")

    def test_a_nodes_clients_come_to_its_own_larder(self):
        for name, objects, _ in self.each():
            clients = next(item for item in objects if item["kind"] == "Service" and "clusterIP" not in item["spec"])
            is_local = clients["spec"].get("internalTrafficPolicy") == "Local"
            self.assertEqual(is_local, CASES[name].get("kind") == "DaemonSet")

    def test_the_notes_say_what_turbo_wants(self):
        for name, _, notes in self.each():
            scheme = "https" if "tls" in CASES[name] else "http"
            where = "cache.build:443" if name == "everything" else "larder.build:8585"
            self.assertIn(f"TURBO_API={scheme}://{where}\n", notes)
            self.assertEqual("cache of its own" in notes, name == "everything")
            for variable in ["TURBO_TOKEN", "TURBO_TEAM"]:
                self.assertRegex(notes, f"export {variable}=.")


class Refused(unittest.TestCase):
    """Mistakes that end before anything is installed."""

    def test_values_that_are_none(self):
        mistakes = {
            "replica": 1, "kind": "Deployment", "replicas": "2", "image.repo": "x", "image.digest": "sha256:0",
            "upstream.url": "s3://bucket", "upstream.token": "secret", "access.mode": "everybody",
            "access.tokens": [{"name": "ci"}], "tls.secret": "No Name", "memory.capacity": "256Mi", "memory.inFlight": "1.5GiB",
            "storage.size": "25GiB", "storage.accessMode": "ReadWriteMany", "storage.hostPath": "cache", "config": {"log": {}},
            "drainDelaySeconds": "10s", "bindAddress": "127.0.0.1", "hosts": ["http://x"], "service.type": "ExternalName",
            "networkPolicy.from": [], "resources.memory": "1Gi", "extraEnv": [{"value": "x"}],
        }  # fmt: skip
        for path, value in mistakes.items():
            with self.subTest(path), self.assertRaises(helm.HelmError):
                render(with_value(CASES["default"], path, value))
        tokens = [{"token": "secret"}, {"rights": "write"}, {"expires": "tomorrow"}, {"name": "a/b"}, {"teams": []}]
        for member in tokens:
            entry = {"name": "ci", "secret": "tokens", **member}
            with self.subTest(str(member)), self.assertRaises(helm.HelmError):
                render(with_value(CASES["default"], "access.tokens", [entry]))

    def test_values_that_do_not_go_together(self):
        least, mistakes = CASES["default"], [
            ("image.repository", "", "deploy/Dockerfile"),
            ("upstream.url", "none", "access.tokens"),
            ("storage.hostPath", "/var/cache/larder", "DaemonSet"),
            ("service.hostPort", 8585, "DaemonSet"),
            ("tls.clientCa", True, "tls.secret"),
            ("extraEnv", [{"name": "LARDER_DATA_DIR", "value": "/data"}], "LARDER_DATA_DIR"),
        ]  # fmt: skip
        for path, value, said in mistakes:
            with self.subTest(path), self.assertRaisesRegex(helm.HelmError, re.escape(said)):
                render(with_value(least, path, value))


class Documented(unittest.TestCase):
    """The values' page, file and schema are about the same values."""

    def leaves(self, values, prefix=""):
        for name, value in values.items():
            whole = f"{prefix}{name}"
            if isinstance(value, dict) and value and not whole.lower().endswith("securitycontext"):
                yield from self.leaves(value, f"{whole}.")
            else:
                yield whole

    def described(self, schema, definitions, prefix=""):
        for name, inner in schema["properties"].items():
            whole = f"{prefix}{name}"
            reference = inner.get("$ref", "").rsplit("/", 1)[-1]
            inner = definitions.get(reference, inner)
            if "properties" in inner:
                yield from self.described(inner, definitions, f"{whole}.")
            else:
                yield whole

    def test_the_page_shows_values(self):
        self.assertGreaterEqual(len(SHOWN), 4)

    def test_every_value_is_on_the_page_and_in_the_schema(self):
        values = set(self.leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
        page = (CHART / "README.md").read_text()
        self.assertEqual(set(re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)), values)
        schema = json.loads((CHART / "values.schema.json").read_text())
        described = set(self.described(schema, schema["definitions"]))
        # For charts that have this one among theirs; and a container's resources, as Kubernetes has them.
        described -= {"global", "resources.limits", "resources.requests"}
        self.assertEqual(described, values - {"resources.requests.cpu"})


class Run(unittest.TestCase):
    """What the binary makes of it."""

    def place(self, values):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Place(folder.name, render(values)[0])

    def test_every_configuration_passes_the_check(self):
        for name, values in CASES.items():
            with self.subTest(name):
                place = self.place(values)
                code, effective, said = place.check()
                self.assertEqual(code, 0, said)
                ending = seconds(effective, "server.drain_delay") + seconds(effective, "server.shutdown_grace")
                self.assertGreater(pod(place.objects)["spec"]["terminationGracePeriodSeconds"], ending + 2)

    def test_a_value_reaches_the_configuration(self):
        _, effective, _ = self.place(CASES["everything"]).check()
        for line in [
            'server.drain_delay = "15s"', 'upstream.url = "https://vercel.com/api"', 'tier.memory.capacity = "1GiB"',
            'tier.disk.capacity = "400GiB"', 'tier.in_flight = "256MiB"', 'access.mode = "tokens"', 'upload.on_failure = "keep"',
            'log.format = "json"', 'name = "people"', 'rights = "read", expires = ',
        ]:  # fmt: skip
            self.assertIn(line, effective)

    def test_a_mistake_in_config_would_be_found(self):
        code, _, said = self.place(with_value(CASES["default"], "config", "[upload]\nsize = 1")).check()
        self.assertEqual(code, 2)
        self.assertIn("upload.size", said)

    def test_a_larder_answers_to_its_services_name_and_to_no_other(self):
        place = self.place(CASES["daemonset-emptydir"])
        data, admin = free_port(), free_port()
        more = {"LARDER_SERVER__LISTEN": f"0.0.0.0:{data}", "LARDER_ADMIN__LISTEN": f"0.0.0.0:{admin}"}
        environment = place.environment(LARDER_SERVER__DRAIN_DELAY="0s", **more)
        with subprocess.Popen(place.command("serve"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            try:
                until_it_listens(admin)
                for host in ["larder.build", "larder.build.svc.cluster.local:8585", "10.1.2.3:8586"]:
                    self.assertEqual(status(admin, "/readyz", host), 200, host)
                    self.assertEqual(status(data, "/v8/artifacts/status", host), 200, host)
                for port, path in [(admin, "/readyz"), (data, "/v8/artifacts/status")]:
                    self.assertEqual(status(port, path, "elsewhere.example"), 403)
                self.assertEqual(status(admin, "/metrics", "larder-pods"), 200)
            finally:
                running.terminate()
            self.assertEqual(running.wait(PATIENCE), 0)


def seconds(effective, key):
    """A duration as the check prints it."""
    number, unit = re.search(rf'^{re.escape(key)} = "(\d+)([sm])"', effective, re.MULTILINE).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until_it_listens(port):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, "it does not start"
            time.sleep(0.02)


def status(port, path, host):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path, headers={"Host": host, "Connection": "close"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


if __name__ == "__main__":
    unittest.main(verbosity=2)
