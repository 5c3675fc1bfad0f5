import { assertEquals } from "@std/assert";
import { serviceManager } from "../../lib/service/managers.ts";
import { MANAGERS } from "../../lib/service/service_manager.ts";
import { hasUpdateService } from "../../lib/service/update_service.ts";
import { SYSTEM_PLAN } from "./service_plans.ts";

Deno.test("hasUpdateService() recognizes the update files of each manager", () => {
  const { name: service, scope, logFile } = SYSTEM_PLAN;
  for (const kind of MANAGERS) {
    const manager = serviceManager(kind, { name: service, scope, logFile, home: "", uid: 0 });
    for (const isUpdated of [true, false]) {
      const updates = isUpdated ? manager.updateFiles(SYSTEM_PLAN) : [];
      const paths = [...manager.files(SYSTEM_PLAN), ...updates].map(({ path }) => path);
      const files = [...paths, "/etc/komari-agent-deno/environment"];
      assertEquals(hasUpdateService({ service, files }), isUpdated, kind);
    }
  }
});
