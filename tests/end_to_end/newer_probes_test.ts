import { assert, assertEquals } from "@std/assert";
import { CLOSED_PORT } from "../free_port.ts";
import { until, withAgent } from "./setup.ts";

Deno.test("probes of type auto and dual and their references are run as what they are, and told of", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = `127.0.0.1:${listener.addr.port}`;
  const closed = `127.0.0.1:${CLOSED_PORT}`;
  const task = (id: number, type: string, target: string, more = {}) => ({
    ...{ id, name: "", type, target, interval: 1, ...more },
  });
  const tasks = [
    task(1, "auto", open),
    task(2, "auto", closed),
    task(3, "dual", open),
    task(4, "tcp", open, { reference: closed }),
    task(5, "auto", "-f"),
  ];
  // A basic info every minute is the most that there is: the agent starts anew instead.
  const panel = { generation: "Nekomari", tasks } as const;
  await withAgent({ panel, args: ["--allow-local-probes"] }, async (panel, agent) => {
    const found = () =>
      new Set(
        panel.state.pingResults.map(({ value: { taskId, pingType, valueMs, role = "" } }) =>
          [taskId, pingType, valueMs < 0 ? "lost" : "answered", role].join(" ").trim()
        ),
      );
    await until(panel, () => found().size >= 7);
    const results = found();
    // Whether this machine has a `ping` is not what is tested.
    const icmp = [...results].find((result) => result.startsWith("3 icmp"));
    assert(icmp !== undefined, agent.output);
    results.delete(icmp);
    assertEquals(
      [...results].toSorted(),
      [
        "1 tcp answered",
        "2 tcp lost",
        "3 tcp answered",
        "4 tcp answered",
        "4 tcp lost reference",
        "5 icmp lost",
      ],
    );
  });
});
