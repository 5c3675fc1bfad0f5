import { assertEquals } from "@std/assert";
import { parseFault } from "../../lib/demo/fault.ts";
import { startDemo } from "../../lib/demo/stand_in_panel.ts";

Deno.test("startDemo() asks for one probe of each kind, all of them on loopback", async () => {
  const panel = await startDemo({ port: 0 });
  try {
    assertEquals(panel.state.tasks.map((task) => [task.type, task.target, task.interval]), [
      ["icmp", "127.0.0.1", 2],
      ["tcp", `127.0.0.1:${panel.port}`, 3],
      ["http", `http://127.0.0.1:${panel.port}/`, 5],
    ]);
    assertEquals(panel.state.fault, undefined);
  } finally {
    panel.close();
  }
});

Deno.test("startDemo() begins with a fault", async () => {
  const panel = await startDemo({ port: 0, fault: parseFault("401") });
  try {
    assertEquals(panel.state.fault?.name, "401");
    const response = await fetch(`${panel.url}/api/version`);
    await response.body?.cancel();
    assertEquals(response.status, 401);
  } finally {
    panel.close();
  }
});
