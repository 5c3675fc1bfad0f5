import type { Host } from "../host/host.ts";
import { drmCards, NVIDIA_VENDOR, nvidiaDriverCards } from "./graphics_cards.ts";

/**
 * The graphics processors, `NVIDIA GA102 [GeForce RTX 3090]`; `undefined` when there is none.
 *
 * Reads `/sys/class/drm` and NVIDIA's folder in `/proc`. Nothing is started, and no card is woken.
 */
export function gpuName(host: Pick<Host, "roots" | "readText" | "list">): string | undefined {
  // NVIDIA's own driver knows the names that are on the box.
  const models = nvidiaDriverCards(host).flatMap(({ model }) => model ?? []);
  const others = drmCards(host).filter(({ vendor }) =>
    models.length === 0 || vendor !== NVIDIA_VENDOR
  );
  const counts = new Map<string, number>();
  for (const name of [...models, ...others.map((card) => card.name)]) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const listed = [...counts].map(([name, count]) => count === 1 ? name : `${count}x ${name}`);
  return listed.length === 0 ? undefined : listed.join(", ");
}
