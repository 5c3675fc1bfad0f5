import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse } from "@std/yaml";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { outputOf, succeeds } from "./command.ts";
import { comesTo, ContainerImage, podman, tries } from "./container_image.ts";

const PATH = new URL("../../../deploy/kubernetes.yaml", import.meta.url).pathname;
const MANIFEST = Deno.readTextFileSync(PATH);
const KEY = "k3y-of-the-cluster";
const STATE_PATH = "/var/lib/komari-agent-deno";

const noValidator = !succeeds("kubernetes-validate", "--version");
Deno.test({
  name: `deploy/kubernetes.yaml is valid for the API of Kubernetes${
    noValidator ? " (skipped: no kubernetes-validate)" : ""
  }`,
  ignore: noValidator,
  fn() {
    outputOf("kubernetes-validate", "--strict", "--quiet", PATH);
  },
});

const missing = ContainerImage.missing();
Deno.test({
  name: `the pod of deploy/kubernetes.yaml registers its node once and reports it${
    missing === undefined ? "" : ` (skipped: ${missing})`
  }`,
  ignore: missing !== undefined,
  async fn() {
    await using image = await ContainerImage.build("9.8.7");
    const panel = await startTestPanel({ discoveryKey: KEY });
    const folder = await Deno.makeTempDir({ prefix: "komari-agent-deno-pod-" });
    const file = `${folder}/pod.yaml`;
    const secret = `${folder}/secret.json`;
    const name = `komari-agent-${crypto.randomUUID().slice(0, 8)}`;
    await Deno.writeTextFile(
      file,
      podOf(MANIFEST, {
        name,
        image: image.name,
        state: `${folder}/state`,
      }),
    );
    await Deno.writeTextFile(
      secret,
      secretOf({ endpoint: panel.url, "auto-discovery-key": KEY }),
    );
    // A machine that is itself a container can't raise its limits; only a file tells podman so.
    await Deno.writeTextFile(
      `${folder}/containers.conf`,
      '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]\n',
    );
    Deno.env.set("CONTAINERS_CONF", `${folder}/containers.conf`);
    try {
      // Podman 4.3 reads a key of a Secret only from one that was created so.
      podman("secret", "create", "komari-agent", secret);
      for (const starts of [1, 2]) {
        const reports = panel.state.reports.length;
        await comesTo(0, "kube", "play", "--replace", file);
        await panel.state.until((state) => state.reports.length > reports + 1, {
          signal: AbortSignal.timeout(60_000),
        });
        // Kubernetes gives a pod on its node's network the node's name, podman the pod's.
        const registered = panel.registrations.map((it) => it.name);
        assertEquals(registered, [`Auto-${name}`], `after start ${starts}`);
        await comesTo(0, "exec", `${name}-agent`, "/komari-agent-deno", "health");
        const { output } = await tries("logs", `${name}-agent`);
        assertStringIncludes(output, "sealed by the kernel and the runtime");
        await tries("kube", "play", "--down", file);
      }
      assertEquals(panel.state.violations, []);
      const report = panel.state.reports.at(-1)?.value;
      const total = /^MemTotal:\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/meminfo"))?.[1];
      assertEquals(report?.ram?.total, Number(total) * 1024);
      assertEquals(Deno.statSync(`${folder}/state`).uid, 65532);
    } finally {
      await tries("kube", "play", "--down", file);
      await tries("secret", "rm", "komari-agent");
      Deno.env.delete("CONTAINERS_CONF");
      panel.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** One pod of the DaemonSet as podman plays it: with another image, state folder and name. */
function podOf(
  manifest: string,
  { name, image, state }: { name: string; image: string; state: string },
): string {
  const { spec: { template: { spec } } } = parse(manifest) as {
    spec: { template: { spec: PodSpec } };
  };
  for (const container of [...spec.containers, ...spec.initContainers]) container.image = image;
  const volume = spec.volumes.find(({ hostPath }) => hostPath.path === STATE_PATH);
  assert(volume !== undefined, "the state is on the host");
  volume.hostPath.path = state;
  // Podman 4.3 removes a first container that runs "once" at its end, and on a busy machine fails:
  // it still takes it for a running one.
  const annotations = { "io.podman.annotations.init.container.type": "always" };
  // JSON is YAML.
  return JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name, annotations }, spec });
}

/** The data of a Secret with these values. */
function secretOf(values: Readonly<Record<string, string>>): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, btoa(value)])),
  );
}

interface PodSpec {
  containers: { image: string }[];
  initContainers: { image: string }[];
  volumes: { hostPath: { path: string } }[];
}
