import { assertEquals, assertStringIncludes } from "@std/assert";
import type { LoadedUnit } from "../../lib/doctor/loaded_unit.ts";
import { serviceText } from "../../lib/doctor/service_state.ts";
import type { ServiceState } from "../../lib/service/installed_service.ts";
import { same } from "../cases.ts";
import { SERVICE } from "./seen_health.ts";

/** A unit with these properties, as systemd shows them. */
function unitOf(shown: Readonly<Record<string, string>>): LoadedUnit {
  return { name: "x.service", property: (name) => shown[name] ?? "", settings: [] };
}

Deno.test("serviceText() says whether it runs, what systemd does with it, and whether it starts at boot", async () => {
  const of = ([change, shown]: [Partial<ServiceState>, Record<string, string>?]) =>
    serviceText({ ...SERVICE, ...change }, shown && unitOf(shown)).slice("x (systemd) ".length);
  const [atBoot, never] = [", and starts at boot", ", and does not start at boot"];
  await same(of, [
    [[{}], `is running${atBoot}`],
    [[{ isActive: false, isEnabled: false }], `is not running${never}`],
    [[{ isEnabled: undefined }], "is running, and may or may not start at boot"],
    [[{ isActive: undefined }], "may or may not run: systemd does not answer"],
    [[{}, { LoadState: "masked" }], "is running, and can't be started at boot"],
  ]);
  const table: [states: string, text: string, atBoot: string][] = [
    ["inactive dead", "is not running", atBoot],
    ["failed failed", "is not running", atBoot],
    ["activating start-pre", "is being started", ""],
    ["activating auto-restart", "has ended, and systemd starts it again in a moment", ""],
    ["deactivating stop-sigterm", "is being stopped", ""],
  ];
  for (const [states, text, atBoot] of table) {
    const [ActiveState = "", SubState = ""] = states.split(" ");
    const of = (isEnabled: boolean) =>
      serviceText(
        { ...SERVICE, isActive: false, isEnabled },
        unitOf({ ActiveState, SubState }),
      );
    assertEquals(of(true), `x (systemd) ${text}${atBoot}`);
    assertStringIncludes(of(false), never, states);
  }
});
