import type { ConnectionConfig } from "../config/connection.ts";
import type { StatePlaces } from "../config/state_places.ts";
import { hostName } from "../host/host_name.ts";
import { stateFolder } from "../host/state_folder.ts";
import { DiscoveredNode } from "./discovered_node.ts";
import { Enrolment } from "./enrolment.ts";
import { NodeStore } from "./node_store.ts";
import { Registrar } from "./registrar.ts";

/** What the user asked for. */
export interface DiscoveryConfig extends ConnectionConfig, StatePlaces {
  readonly endpoint: string;
  readonly autoDiscoveryKey: string;
  readonly rediscover: boolean;
}

/**
 * As which node this machine reports: the one that it has registered as, or the one that it becomes
 * now; `undefined` when `signal` aborts before that.
 *
 * `onToken` is told of each token before it is used or spoken of; `signal` ends what goes on later,
 * too.
 *
 * @throws {Error} When nothing could be kept.
 */
export async function discoverNode(
  config: DiscoveryConfig,
  options: { readonly onToken: (token: string) => void; readonly signal: AbortSignal },
): Promise<DiscoveredNode | undefined> {
  const { endpoint, rediscover } = config;
  const { signal } = options;
  const store = new NodeStore(stateFolder(config), { forgives: rediscover });
  const registrar = new Registrar({
    endpoint,
    key: config.autoDiscoveryKey,
    name: hostName(),
    way: config,
  });
  let fresh: DiscoveredNode | undefined;
  const parts = { store, registrar, rediscover, ...options };
  try {
    const node = await new Enrolment({ endpoint, store, registrar }).enrol(async (node) => {
      fresh = new DiscoveredNode(node, parts);
      await fresh.adopt(node);
    }, signal);
    return signal.aborted ? undefined : fresh ?? new DiscoveredNode(node, parts);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
