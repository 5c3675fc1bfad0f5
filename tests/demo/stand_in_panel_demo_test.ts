import { assertEquals } from "@std/assert";
import { startDemo } from "../../lib/demo/stand_in_panel.ts";

Deno.test("startDemo() asks for one probe of each kind, all of them on loopback", async () => {
  const panel = await startDemo({ port: 0 });
  try {
    assertEquals(panel.state.tasks.map((task) => [task.type, task.target]), [
      ["icmp", "127.0.0.1"],
      ["tcp", `127.0.0.1:${panel.port}`],
      ["http", `http://127.0.0.1:${panel.port}/`],
    ]);
  } finally {
    panel.close();
  }
});
