import { parse } from "@std/yaml";

/** What the example is completed with. */
export interface ComposeSurroundings {
  readonly variables: Readonly<Record<string, string>>;
  /** Paths of this machine's files by the name of the secret. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Names of volumes by their name in the example. */
  readonly volumes: Readonly<Record<string, string>>;
}

/** What of a service says nothing of how it runs once. */
const OF_NO_MATTER = ["image", "container_name", "restart", "healthcheck"];

/**
 * The words by which `podman run` does what the only service of a compose file asks for.
 *
 * @throws {Error} When the file asks for something that this does not know.
 */
export function podmanArguments(text: string, surroundings: ComposeSurroundings): string[] {
  const { variables, secrets, volumes } = surroundings;
  const [service] = Object.values(entries(entries(parse(text)).services));
  const filled = (value: unknown) =>
    String(value).replace(/\$\{(\w+)[^}]*\}/g, (_, name) => variables[name] ?? "");
  function volume(given: unknown): string {
    const { type, source, target, read_only: readOnly, bind } = entries(given);
    const from = type === "volume" ? volumes[String(source)] : source;
    const { propagation } = entries(bind ?? {});
    const ways = [readOnly === true ? "ro" : "rw", ...propagation ? [propagation] : []];
    return `--volume=${from}:${target}:${ways.join(",")}`;
  }
  return Object.entries(entries(service)).flatMap(([key, value]): string[] => {
    switch (key) {
      case "network_mode":
        return [`--network=${value}`];
      case "pid":
      case "user":
        return [`--${key}=${value}`];
      case "mem_limit":
        return [`--memory=${value}`];
      case "read_only":
        return [`--read-only=${value}`];
      case "cap_drop":
      case "cap_add":
        return list(value).map((name) => `--${key.replace("_", "-")}=${name}`);
      case "environment":
        return Object.entries(entries(value)).map(([name, it]) => `--env=${name}=${filled(it)}`);
      case "secrets":
        return list(value).map((it) => `--volume=${secrets[String(it)]}:/run/secrets/${it}:ro`);
      case "volumes":
        return list(value).map(volume);
    }
    if (OF_NO_MATTER.includes(key)) return [];
    throw new Error(`Cannot run the example: nobody knows what "${key}" is for podman`);
  });
}

function entries(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new Error(`Cannot read ${value}`);
  return { ...value };
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error(`Cannot read ${value}`);
  return value;
}
