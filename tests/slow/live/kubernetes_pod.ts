import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse } from "@std/yaml";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import type { ContainerImage } from "./container_image.ts";

/** The manifest for Kubernetes. */
export const MANIFEST_PATH: string =
  new URL("../../../deploy/kubernetes.yaml", import.meta.url).pathname;
const KEY = "k3y-of-the-cluster";
const STATE_PATH = "/var/lib/komari-agent-deno";

/** Plays the manifest's pod twice with an image, and checks that its node registers once. */
export async function registersOnce({ podman, name: image }: ContainerImage): Promise<void> {
  const panel = await startTestPanel({ discoveryKey: KEY });
  const folder = `${podman.folder}/pod`;
  const file = `${folder}/pod.yaml`;
  const secret = `${folder}/secret.json`;
  const name = `komari-agent-${crypto.randomUUID().slice(0, 8)}`;
  const manifest = Deno.readTextFileSync(MANIFEST_PATH);
  await Deno.mkdir(folder);
  await Deno.writeTextFile(file, podOf(manifest, { name, image, state: `${folder}/state` }));
  await Deno.writeTextFile(secret, secretOf({ endpoint: panel.url, "auto-discovery-key": KEY }));
  try {
    // Podman 4.3 reads a key of a Secret only from one that was created so.
    podman.output("secret", "create", "komari-agent", secret);
    for (const starts of [1, 2]) {
      const reports = panel.state.reports.length;
      await podman.comesTo(0, "kube", "play", "--replace", file);
      await panel.state.until((state) => state.reports.length > reports + 1);
      // Kubernetes gives a pod on its node's network the node's name, podman the pod's.
      const registered = panel.registrations.map((it) => it.name);
      assertEquals(registered, [`Auto-${name}`], `after start ${starts}`);
      await podman.comesTo(0, "exec", `${name}-agent`, "/komari-agent-deno", "health");
      const { output } = await podman.tries("logs", `${name}-agent`);
      assertStringIncludes(output, "sealed by the kernel and the runtime");
      await podman.tries("kube", "play", "--down", file);
    }
    assertEquals(panel.state.violations, []);
    const report = panel.state.reports.at(-1)?.value;
    const total = /^MemTotal:\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/meminfo"))?.[1];
    assertEquals(report?.ram?.total, Number(total) * 1024);
    assertEquals(Deno.statSync(`${folder}/state`).uid, 65532);
  } finally {
    await podman.tries("kube", "play", "--down", file);
    panel.close();
  }
}

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
