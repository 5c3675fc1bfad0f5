import { assert, assertEquals } from "@std/assert";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { type ExposedMetric, parseExposition } from "../../exporter/exposition.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";

/** Others work on this machine too: what moves between two looks is looked at again, this often. */
const MOST_LOOKS = 40;
/** Names that both give of themselves. */
const OWN = /^(process_|go_|promhttp_|node_scrape_|node_exporter_)/;
/** Sums of floating-point numbers end in other digits. */
const SLACK = 1e-9;

const program = ["prometheus-node-exporter", "node_exporter"].find((name) => {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
});

/** A node_exporter of this machine, at a port of its own. */
class RealExporter implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #url: string;

  private constructor(child: Deno.ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  static async start(command: string): Promise<RealExporter> {
    const child = new Deno.Command(command, {
      args: ["--web.listen-address=127.0.0.1:0"],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let log = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr.values({ preventCancel: true })) {
      log += decoder.decode(chunk, { stream: true });
      const [, address] = /Listening on" address=(\S+)/.exec(log) ?? [];
      if (address !== undefined) return new RealExporter(child, `http://${address}/metrics`);
    }
    throw new Error(`Cannot start ${command}: ${log}`);
  }

  scrape(): Promise<Map<string, ExposedMetric>> {
    return scrape(this.#url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.stderr.cancel();
    await this.#child.status;
  }
}

async function scrape(url: string): Promise<Map<string, ExposedMetric>> {
  const response = await fetch(url, { headers: { accept: "text/plain" } });
  return parseExposition(await response.text());
}

Deno.test({
  name: "a sealed agent and node_exporter tell the same of this machine" +
    (program ? "" : " (skipped: it needs Debian's package prometheus-node-exporter)"),
  ignore: program === undefined || Deno.build.os !== "linux",
  async fn() {
    const panel = await startTestPanel({ token: "scr4ped" });
    try {
      const args = ["-e", panel.url, "-t", panel.token, "-i", "5"];
      await using agent = new AgentProcess([...args, "--metrics", "127.0.0.1:0"]);
      await agent.says("First report accepted");
      const url = /Metrics for Prometheus: (\S+)/.exec(agent.output)?.[1] ?? "";
      const theirs = await RealExporter.start(program ?? "");
      await using _ = theirs;
      // The first scrape of both is not compared: what answers beside has not answered yet.
      let before = await scrape(url);
      const first = await theirs.scrape();
      const names = [...before.keys()].filter((name) => first.has(name) && !OWN.test(name));
      assert(names.length >= 150, `only ${names.length} names are those of node_exporter`);
      const alike = new Set<string>();
      const odd = new Map<string, string>();
      const labels = new Map<string, string>();
      const shapes = (of: Map<string, ExposedMetric>, name: string) => {
        const { type, help, samples } = of.get(name) ?? { samples: new Map() };
        return JSON.stringify([type, help, [...samples.keys()].toSorted()]);
      };
      for (let look = 0; look < MOST_LOOKS; look++) {
        const real = await theirs.scrape();
        const after = await scrape(url);
        odd.clear();
        labels.clear();
        for (const name of names) {
          const [one, other] = [shapes(after, name), shapes(real, name)];
          if (one !== other) labels.set(name, `ours ${one}, theirs ${other}`);
          for (const [label, value] of real.get(name)?.samples ?? []) {
            const series = `${name}{${label}}`;
            const ours = [before, after].map((it) => it.get(name)?.samples.get(label) ?? NaN);
            const slack = Math.abs(value) * SLACK;
            if (value >= Math.min(...ours) - slack && value <= Math.max(...ours) + slack) {
              alike.add(series);
            } else if (!alike.has(series)) odd.set(series, `${value} is not in ${ours}`);
          }
        }
        before = after;
        if (odd.size === 0 && labels.size === 0) break;
      }
      const missing = [...first.keys()].filter((name) => !before.has(name) && !OWN.test(name));
      console.log(
        `${names.length} names and ${alike.size} series are alike; ${missing.length} names of ` +
          `node_exporter are not given: ${missing.join(", ")}`,
      );
      assertEquals(Object.fromEntries(labels), {});
      assertEquals(Object.fromEntries(odd), {});
    } finally {
      panel.close();
    }
  },
});
