import { lackOfTools, outputOf } from "./command.ts";
import { MANIFEST_PATH } from "./kubernetes_pod.ts";

const lack = lackOfTools("kubernetes-validate");
Deno.test({
  name: `deploy/kubernetes.yaml is valid for the API of Kubernetes${
    lack === undefined ? "" : ` (skipped: ${lack})`
  }`,
  ignore: lack !== undefined,
  fn: () => void outputOf("kubernetes-validate", "--strict", "--quiet", MANIFEST_PATH),
});
