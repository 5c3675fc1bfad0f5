import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import type { Page } from "playwright-core";
import { pageAnswer } from "../../lib/demo/page.ts";
import { loopbackTasks } from "../../lib/demo/probe_tasks.ts";
import { deliverRpc, dial } from "../test_panel/fake_agent.ts";
import { panelFault } from "../test_panel/faults.ts";
import { BASIC_INFO, deliver, PING_RESULT, REPORT } from "../test_panel/fake_reporter.ts";
import { startTestPanel, type TestPanel, type TestPanelOptions } from "../test_panel/test_panel.ts";

/** Starts a panel with the demo's page and its probes. */
async function startPanel(options: TestPanelOptions = {}): Promise<TestPanel> {
  const panel = await startTestPanel(options);
  panel.state.tasks = loopbackTasks(panel.port);
  return panel;
}

const MIB = 1024 * 1024;
const NOW = "2026-01-02T03:04:05.678Z";

async function withPanel(use: (panel: TestPanel) => Promise<void>): Promise<void> {
  const panel = await startPanel();
  try {
    await use(panel);
  } finally {
    panel.close();
  }
}

/** Sends the reports of a minute, with one loss per probe. */
async function reportSome(panel: TestPanel): Promise<void> {
  await deliver(panel, "uploadBasicInfo", BASIC_INFO);
  for (let index = 0; index < 12; index++) {
    await deliver(panel, "report", { ...REPORT, cpu: { usage: 10 + index } });
    for (const [task, kind] of ["icmp", "tcp", "http"].entries()) {
      const value = index === 5 ? -1 : 3 * task + index % 3;
      const result = { ...PING_RESULT, task_id: task + 1, ping_type: kind, value };
      await deliver(panel, "ping/result", result);
    }
  }
}

Deno.test("the page permits only its own scripts and style, and holds no token", () =>
  withPanel(async (panel) => {
    const response = await fetch(panel.url);
    const text = await response.text();
    const policy = response.headers.get("content-security-policy") ?? "";
    assertEquals(policy.split("; "), [
      ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
      ...["img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
    ]);
    const headers = ["cache-control", "referrer-policy", "x-content-type-options"];
    assertEquals(headers.map((name) => response.headers.get(name)), [
      ...["no-store", "no-referrer", "nosniff"],
    ]);
    assert(!/<(script|style)>/.test(text) && !/ on\w+=/.test(text), "nothing inline");
    assert(!text.includes(panel.token));
    assert(!/(src|href)="(https?:)?\/\//.test(text), "nothing from another host");
  }));

Deno.test("pageAnswer() names the language, and whether remote control is on", () => {
  for (const language of ["en", "zh"] as const) {
    for (const remoteControl of [false, true]) {
      const { body } = pageAnswer(language, { remoteControl });
      assertEquals(/<html lang="(\w+)"/.exec(body)?.[1], language);
      const state = /data-remote-control="(\w+)"/.exec(body)?.[1];
      assertEquals(state, remoteControl ? "on" : "off");
    }
  }
});

Deno.test("the page's files are all served, as what they are", () =>
  withPanel(async (panel) => {
    const names = Array.from(Deno.readDirSync(new URL("../../lib/demo/page/", import.meta.url)))
      .map(({ name }) => name).filter((name) => name !== "page.html");
    assertGreater(names.length, 5);
    for (const name of names) {
      const response = await fetch(`${panel.url}/demo/page/${name}`);
      const text = await response.text();
      const type = name.endsWith(".js") ? "text/javascript" : "text/css";
      assertEquals(response.headers.get("content-type"), `${type}; charset=utf-8`, name);
      assertEquals(response.headers.get("x-content-type-options"), "nosniff");
      for (const [, imported = ""] of text.matchAll(/from "\.\/([^"]+)"/g)) {
        assert(names.includes(imported), `${name} imports ${imported}`);
      }
    }
    for (const name of ["none.js", "toString", "..%2f..%2ffault.ts"]) {
      const missing = await fetch(`${panel.url}/demo/page/${name}`);
      await missing.body?.cancel();
      assertEquals(missing.status, 404, name);
    }
  }));

Deno.test("/demo/state shows the received messages, without the token", () =>
  withPanel(async (panel) => {
    await reportSome(panel);
    const text = await (await fetch(`${panel.url}/demo/state`)).text();
    const state = JSON.parse(text);
    assertEquals(state.history.length, 12);
    assertEquals(state.pingHistory.length, 36);
    assertEquals(state.report.uptime, REPORT.uptime);
    assertEquals(state.basicInfo, BASIC_INFO);
    assert(!text.includes(panel.token));
  }));

Deno.test("/demo/events sends the whole state, then each change", () =>
  withPanel(async (panel) => {
    const response = await fetch(`${panel.url}/demo/events`);
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    const events = eventsOf(response);
    assertEquals((await events.next()).value.history, []);
    // The tests' panel counts more, of which each change is told, too.
    const nextWith = async (name: string) => {
      for (;;) {
        const { value } = await events.next();
        if (name in value) return value;
      }
    };
    await deliver(panel, "report", REPORT);
    const { report, counts } = await nextWith("report");
    assertEquals(report.cpu, REPORT.cpu);
    assertEquals(counts.reports, 1);
    panel.state.countRefused();
    while ((await nextWith("counts")).counts.refused !== 1);
    await panel.setFault(panelFault("refuse"));
    assertEquals((await nextWith("fault")).fault, "refuse", "the page outlives the refusal");
    await events.return(undefined);
  }));

Deno.test("/demo/events drops a page that does not read", () =>
  withPanel(async (panel) => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: panel.port });
    const host = `127.0.0.1:${panel.port}`;
    const request = `GET /demo/events HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    await connection.write(new TextEncoder().encode(request));
    assert((await connection.read(new Uint8Array(1))) === 1);
    // What the kernel keeps for it goes on top.
    for (let line = 0; line < 40; line++) {
      panel.state.addLogLine("x".repeat(MIB));
      await new Promise((turn) => setTimeout(turn, 0));
    }
    const buffer = new Uint8Array(MIB);
    let bytes = 0;
    const read = () => connection.read(buffer).catch(() => null);
    for (let count = await read(); count !== null; count = await read()) bytes += count;
    assert(bytes < 30 * MIB, `${bytes} bytes were sent`);
  }));

Deno.test("/demo/state cuts the result of a command at 64 KiB", () =>
  withPanel(async (panel) => {
    const value = { taskId: "a", result: "x".repeat(70_000), exitCode: 0, finishedAt: NOW };
    panel.state.addCommandResult({ atMs: 0, by: "v2 post", value });
    const { commandResult } = await (await fetch(`${panel.url}/demo/state`)).json();
    assertEquals(commandResult.result.length, 64 * 1024);
  }));

Deno.test("/demo/state holds the result of a command that ended before", () =>
  withPanel(async (panel) => {
    const agent = await dial(panel, "v2").opened();
    const task_id = panel.node.sendCommand("id");
    const result = { task_id, result: "x", exit_code: 3, finished_at: NOW };
    const url = `${panel.url}/api/clients/task/result?token=${panel.token}`;
    const sent = await fetch(url, { method: "POST", body: JSON.stringify(result) });
    await sent.body?.cancel();
    const { commandResult } = await (await fetch(`${panel.url}/demo/state`)).json();
    assertEquals(commandResult, { taskId: task_id, exitCode: 3, result: "x" });
    agent.socket.terminate();
  }));

Deno.test("/demo/state is refused under another host name", () =>
  withPanel(async (panel) => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: panel.port });
    const request = "GET /demo/state HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    await connection.write(new TextEncoder().encode(request));
    const text = await new Response(connection.readable).text();
    assertStringIncludes(text, "HTTP/1.1 403");
  }));

const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
  .find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
if (chromium === undefined) {
  console.warn("Skipped: the page in a browser, because no Chromium is installed in /usr/bin");
}

const launchOptions = {
  ...(chromium === undefined ? {} : { executablePath: chromium }),
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
};

/** Opens the page and fails on any error in it and on any request to another host. */
async function withPage(
  panel: TestPanel,
  options: { width: number; colorScheme: "dark" | "light" },
  use: (page: Page) => Promise<void>,
): Promise<void> {
  const { chromium: driver } = await import("playwright-core");
  const browser = await driver.launch(launchOptions);
  try {
    const page = await browser.newPage({
      viewport: { width: options.width, height: 900 },
      colorScheme: options.colorScheme,
      reducedMotion: "reduce",
    });
    const troubles: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error") troubles.push(message.text());
    });
    page.on("pageerror", (error) => troubles.push(error.message));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${panel.url}/`) && !url.startsWith("data:")) troubles.push(url);
    });
    await page.goto(panel.pageUrl);
    await use(page);
    assertEquals(troubles, []);
  } finally {
    await browser.close();
  }
}

function browserTest(name: string, fn: () => Promise<void>): void {
  // The driver keeps a pipe to the browser for a moment longer than the browser lives.
  Deno.test({
    name,
    fn,
    ignore: chromium === undefined,
    sanitizeOps: false,
    sanitizeResources: false,
  });
}

browserTest(
  "the page shows values, plots, losses and probes as they arrive",
  () =>
    withPanel((panel) =>
      withPage(panel, { width: 1200, colorScheme: "light" }, async (page) => {
        await page.getByText("Waiting").waitFor();
        await reportSome(panel);

        await page.getByText("Online").waitFor();
        const tiles = page.locator("#tiles");
        for (const text of ["21 %", "4.69 GiB of 15.6 GiB", "142 TCP", "14 d 6 h", "20 KiB/s"]) {
          await tiles.getByText(text).first().waitFor();
        }
        for (const text of ["Debian GNU/Linux 12 (bookworm)", "8 (4 physical)", "203.0.113.7"]) {
          await page.locator("#machine").getByText(text).waitFor();
        }

        const plots = page.locator("#plots svg");
        assertEquals(await plots.count(), 4);
        await page.getByRole("img", { name: /^Network over .* up 20 KiB\/s; down 1 MiB\/s$/ })
          .waitFor();
        await page.getByRole("img", { name: /^Probe latency over .*; 3 lost$/ }).waitFor();
        for (let index = 0; index < 4; index++) {
          const curve = await plots.nth(index).locator(".curve").first().getAttribute("d") ?? "";
          assertGreater(curve.split("L").length, 3, `points in plot ${index}`);
        }
        assertEquals(await plots.nth(3).locator(".loss").count(), 3);

        const rows = page.locator("#probes tr");
        assertEquals(await rows.count(), 3);
        for (const kind of ["icmp", "tcp", "http"]) {
          await rows.getByText(kind, { exact: true }).waitFor();
        }
        assertEquals(await rows.getByText("1 of 12 (8 %)").count(), 3);
        await page.locator("#developers summary").click();
        await page.getByText("Accepted: 12 reports, 1 basic info, 36 ping results.").waitFor();

        await plots.nth(0).hover();
        await page.getByText(/^CPU, \d+ s ago$/).waitFor();
      })
    ),
);

browserTest(
  "the page shows an agent's data as text, whatever it holds",
  () =>
    withPanel(async (panel) => {
      const markup = '<img src=x onerror="document.title=1"><b>bold</b>';
      panel.state.tasks = [{ id: 1, name: markup, type: markup, target: markup, interval: 0 }];
      await deliver(panel, "uploadBasicInfo", { ...BASIC_INFO, os: markup });
      await deliver(panel, "report", { ...REPORT, message: markup });
      await withPage(panel, { width: 800, colorScheme: "dark" }, async (page) => {
        await page.locator("#message").getByText(markup).waitFor();
        assertEquals(await page.locator("#message").getByText(markup).count(), 1);
        await page.locator("#machine").getByText(markup).waitFor();
        assertEquals(await page.locator("img, b:not(#presence-word)").count(), 0);
      });
    }),
);

browserTest(
  "the page shows graphics cards while they are reported, as text",
  () =>
    withPanel((panel) =>
      withPage(panel, { width: 800, colorScheme: "light" }, async (page) => {
        const nothing = { memory_total: 0, memory_used: 0, utilization: 0, temperature: 0 };
        const full = {
          name: "<b>A</b>",
          memory_total: 2 ** 34,
          memory_used: 2 ** 30,
          utilization: 42.3,
          temperature: 61,
        };
        const gpu = {
          count: 2,
          average_usage: 21.15,
          detailed_info: [full, { ...nothing, name: "B" }],
        };
        await deliver(panel, "report", { ...REPORT, gpu });
        const cards = page.locator("#cards");
        await cards.getByText("<b>A</b>: 42 % · 1 GiB of 16 GiB · 61 °C", { exact: true })
          .waitFor();
        await cards.getByText("B: 0.0 %", { exact: true }).waitFor();
        await deliver(panel, "report", REPORT);
        await cards.waitFor({ state: "hidden" });
      })
    ),
);

browserTest(
  "the page says when reports stop and which fault is on",
  () =>
    withPanel((panel) =>
      withPage(panel, { width: 800, colorScheme: "light" }, async (page) => {
        await deliver(panel, "report", REPORT);
        await page.getByText("Online").waitFor();
        await page.clock.install();
        await page.reload();
        await page.getByText("Online").waitFor();
        await page.clock.fastForward(30_000);
        await page.getByText(/^report 3\d s ago$/).waitFor();
        assertEquals(await page.getByText("Online").count(), 1);
        await page.clock.fastForward(6_000);
        await page.getByText("Offline").waitFor();
        await panel.setFault(panelFault("hang"));
        await page.getByText("The panel misbehaves on purpose: hang").waitFor();
        await panel.setFault(undefined);
        await page.getByText("The panel misbehaves").waitFor({ state: "hidden" });
      })
    ),
);

browserTest(
  "the page sets and ends a fault, but not the one that it could not end",
  () =>
    withPanel((panel) =>
      withPage(panel, { width: 1280, colorScheme: "light" }, async (page) => {
        assertEquals(await page.getByText("The panel behaves well.").isVisible(), false);
        await page.locator("#developers summary").click();
        await page.getByText("The panel behaves well.").waitFor();
        for (const name of ["mute", "hang"]) {
          await page.locator("#fault-choice").selectOption(name);
          await panel.state.until(({ fault }) => fault?.name === name);
          await page.getByText(`on purpose: ${name}`).waitFor();
        }
        assert(await page.locator("option[value=refuse]").isDisabled());
        await page.locator("#fault-choice").selectOption("");
        await panel.state.until(({ fault }) => fault === undefined);
      })
    ),
);

browserTest(
  "the page says by which way reports come, and how to turn remote control on",
  () =>
    withPanel((panel) =>
      withPage(panel, { width: 1280, colorScheme: "light" }, async (page) => {
        await deliver(panel, "report", REPORT);
        await page.getByText("v1 POST").waitFor();
        await page.locator("#developers summary").click();
        await page.getByText("--enable-remote-control").waitFor();
        assertEquals(await page.locator("#command").isVisible(), false);
      })
    ),
);

browserTest("the page runs a command and a terminal under its strict policy", async () => {
  const panel = await startPanel({ remoteControl: true, dataTimeoutMs: 600_000 });
  try {
    // No probes are ordered in between.
    panel.state.tasks = [];
    const agent = await dial(panel, "v2").opened();
    await panel.state.until(({ sockets }) => sockets.present === "v2");
    await withPage(panel, { width: 390, colorScheme: "dark" }, async (page) => {
      await page.locator("#command").fill("echo <b>hello</b>");
      await page.locator("#run").click();
      const { task_id } = (await agent.message(0)).params;
      const result = { task_id, result: "<b>hello</b>", exit_code: 3, finished_at: NOW };
      const sent = await fetch(`${panel.url}/api/clients/task/result?token=${panel.token}`, {
        method: "POST",
        body: JSON.stringify(result),
      });
      await sent.body?.cancel();
      await page.locator("#exit.bad").getByText("exit code 3").waitFor();
      assertEquals(await page.locator("#output").textContent(), "<b>hello</b>");
      await page.locator("#open-terminal").click();
      const { request_id } = await agent.message(1);
      const shell = await dial(panel, "terminal", `&id=${request_id}`).opened();
      shell.socket.send(new TextEncoder().encode("a prompt $ "));
      await page.getByText("a prompt $").waitFor();
      await page.keyboard.type("x");
      await shell.until(() => shell.received.some((one) => one instanceof Uint8Array));
      const size = shell.received.findLast((one) => typeof one === "string") ?? "";
      assertMatch(String(size), /"type":"resize","cols":\d+,"rows":\d+/);
      // The whole screen of the emulator fits its place.
      const fits = await page.evaluate(`(() => {
        const place = document.getElementById("terminal").getBoundingClientRect();
        const screen = document.querySelector(".xterm-screen").getBoundingClientRect();
        return [place.right - screen.right, place.bottom - screen.bottom].every((gap) =>
          gap >= 0 && gap < 60
        );
      })()`);
      assert(fits);
      shell.socket.terminate();
      await page.getByText("The terminal has ended.").waitFor();
    });
    agent.socket.terminate();
  } finally {
    panel.close();
  }
});

browserTest(
  "the page shows the agent's log as text, beside the values",
  () =>
    withPanel((panel) => {
      panel.state.addLogLine("2026-01-02T03:04:05.678Z info    agent: Counting <b>eth0</b>");
      return withPage(panel, { width: 1200, colorScheme: "light" }, async (page) => {
        await page.getByText("info agent: Counting <b>eth0</b>").waitFor();
        panel.state.addLogLine("\u001b[33mwarning\u001b[0m panel: lost");
        const line = page.locator("#log .warning");
        await line.waitFor();
        assertMatch(await line.textContent() ?? "", /^\d\d:\d\d:\d\dwarning panel: lost$/);
        const boxes = await Promise.all([
          page.locator("#log").boundingBox(),
          page.locator("#tiles").boundingBox(),
        ]);
        const [log, tiles] = boxes;
        assert(log !== null && tiles !== null && log.x > tiles.x + tiles.width, "beside the tiles");
      });
    }),
);

browserTest(
  "the page hides what is empty, and shows the numbers on one screen of a phone",
  () =>
    withPanel((panel) =>
      withPage(panel, { width: 390, colorScheme: "light" }, async (page) => {
        await deliver(panel, "uploadBasicInfo", {
          ...BASIC_INFO,
          gpu_name: "None",
          ipv6: "",
          swap_total: 0,
        });
        await deliver(panel, "report", { ...REPORT, swap: { total: 0, used: 0 } });
        await page.getByText("Online").waitFor();
        for (const text of ["Swap", "Message", "GPU", "Public IPv6", "Graphics cards"]) {
          const all = await page.getByText(text, { exact: true }).all();
          const visible = await Promise.all(all.map((one) => one.isVisible()));
          assertEquals(visible.includes(true), false, text);
        }
        const box = await page.locator("#tiles").boundingBox();
        assert(box !== null && box.y + box.height < 500, `${box?.y} ${box?.height}`);
        const chart = await page.getByRole("img", { name: /^Probe latency/ }).boundingBox();
        assert(chart !== null && chart.y + chart.height < 844, "the first chart is in sight");
      })
    ),
);

browserTest(
  "the page scales memory to the values, and keeps CPU from 0",
  () =>
    withPanel((panel) =>
      withPage(panel, { width: 1200, colorScheme: "light" }, async (page) => {
        for (const used of [5_033_164_800, 5_133_164_800, 5_233_164_800]) {
          await deliver(panel, "report", { ...REPORT, ram: { ...REPORT.ram, used } });
        }
        await page.getByText("4.87 GiB").first().waitFor();
        const labels = (plot: number) =>
          page.locator("#plots svg").nth(plot).locator('text[text-anchor="end"]').allTextContents();
        assertEquals((await labels(0))[0], "0 %");
        assertMatch((await labels(1))[0] ?? "", /^4\.\d+ GiB$/);
      })
    ),
);

browserTest("the page is in Chinese on demand", async () => {
  const panel = await startPanel({ language: "zh" });
  try {
    await withPage(panel, { width: 1200, colorScheme: "light" }, async (page) => {
      await reportSome(panel);
      await page.getByText("在线").waitFor();
      const text = await page.locator("body").innerText();
      await panel.setFault(panelFault("hang"));
      await page.locator("#developers summary").click();
      await page.getByText("面板接受每个请求，但从不回复。").waitFor();
      const english = text.replace(/\S*[\d/.]\S*/g, "").match(
        /\b(Now|Memory|Disk|Lost|ago|used)\b/,
      );
      assertEquals(english, null, text);
    });
  } finally {
    panel.close();
  }
});

Deno.test("every text of the page's markup has a Chinese one", async () => {
  const markup = await Deno.readTextFile(new URL("../../lib/demo/page/page.html", import.meta.url));
  const named = /<(h2|h3|th|summary|button|option|span)\b([^>]*)>\s*([A-Z][^<]*?)\s*</g;
  const found = [...markup.matchAll(named)];
  assertGreater(found.length, 10);
  for (const [, , attributes = "", text] of found) assert(attributes.includes("data-zh="), text);
});

browserTest("the page lists, downloads and uploads files", async () => {
  const panel = await startPanel({
    remoteControl: true,
    generation: "1.5",
    dataTimeoutMs: 600_000,
  });
  try {
    // No probes are ordered in between.
    panel.state.tasks = [];
    const agent = await dial(panel, "v2").opened();
    await panel.state.until(({ sockets }) => sockets.present === "v2");
    await withPage(panel, { width: 800, colorScheme: "light" }, async (page) => {
      const answer = async (index: number, result: unknown) => {
        const { params } = await agent.message(index);
        const { request_id } = params;
        await deliverRpc(panel, "agent.file.result", { request_id, ok: true, result, error: "" });
        return params;
      };
      const info = {
        name: "<b>a",
        path: "/f/<b>a",
        is_dir: false,
        is_symlink: false,
        size: 3,
        mode: "-rw-r--r--",
        mode_octal: "0644",
        uid: 0,
        gid: 0,
        owner: "root",
        group: "root",
        modified_at: NOW,
      };
      await page.locator("#files summary").click();
      assertEquals((await answer(0, [info])).args, { path: "~/" });
      const downloading = page.waitForEvent("download");
      await page.getByRole("button", { name: "<b>a" }).click();
      await answer(1, info);
      const { request_id, args } = (await agent.message(2)).params;
      const url = `${panel.url}/api/clients/transfer/${args.transfer_id}?token=${panel.token}` +
        `&transfer_token=${args.transfer_token}`;
      const sent = await fetch(url, { method: "POST", body: "abc" });
      await sent.body?.cancel();
      const result = { request_id, ok: true, result: { sent: 3 }, error: "" };
      await deliverRpc(panel, "agent.file.result", result);
      const path = await (await downloading).path();
      assertEquals(await Deno.readTextFile(path), "abc");

      const folder = await Deno.makeTempDir();
      await Deno.writeTextFile(`${folder}/up`, "xyz");
      await page.locator("#upload").setInputFiles(`${folder}/up`);
      const upload = await agent.message(3);
      assertEquals([upload.params.op, upload.params.args.path], ["upload_stream", "~/up"]);
      const part = await fetch(
        `${panel.url}/api/clients/transfer/${upload.params.args.transfer_id}?token=${panel.token}`,
        { headers: { "x-komari-transfer-token": upload.params.args.transfer_token } },
      );
      assertEquals(await part.text(), "xyz");
      await answer(3, { received: 3, offset: 3 });
      await answer(4, { received: 0, final: true, offset: 3 });
      await answer(5, []);
      assertEquals(panel.state.violations, []);
      await Deno.remove(folder, { recursive: true });
    });
    agent.socket.terminate();
  } finally {
    panel.close();
  }
});

Deno.test("answerFileRequest() refuses requests of other pages and without the key", async () => {
  const panel = await startPanel({ remoteControl: true, generation: "1.5" });
  try {
    const key = new URL(panel.pageUrl).hash.slice(1);
    const status = async (headers: Record<string, string>, method = "POST") => {
      const response = await fetch(`${panel.url}/demo/files/list?path=/`, { method, headers });
      await response.body?.cancel();
      return response.status;
    };
    const origin = panel.url;
    assertEquals(await status({ "x-demo-key": key }), 403, "no origin");
    assertEquals(await status({ "x-demo-key": key, origin: "http://evil.example" }), 403);
    assertEquals(await status({ "x-demo-key": "wrong", origin }), 403);
    assertEquals(await status({ origin }), 403);
    assertEquals(await status({ "x-demo-key": key, origin }, "GET"), 405);
    assertEquals(await status({ "x-demo-key": key, origin }), 409, "no agent");
  } finally {
    panel.close();
  }
});

Deno.test("answerFileRequest() lists, downloads and uploads files of the node", async () => {
  const panel = await startPanel({ remoteControl: true, generation: "1.5" });
  const uploaded: string[] = [];
  const { files, key = "" } = panel;
  files.request = (op, { path }) =>
    path === "/none" ? Promise.reject(new Error(`No ${op}`)) : Promise.resolve([op, path]);
  files.download = async function* (path) {
    if (path === "/none") throw new Error("No such file");
    for (const text of ["one ", "two"]) yield new TextEncoder().encode(text);
    if (path === "/half") throw new Error("It has ended");
  };
  files.upload = async (path, content) => void uploaded.push(path, await content.text());
  const ask = async (what: string, path: string, body?: string) => {
    const headers = { origin: panel.url, "x-demo-key": key };
    const url = `${panel.url}/demo/files/${what}?path=${encodeURIComponent(path)}`;
    const response = await fetch(url, { method: "POST", headers, body: body ?? null });
    return [response.status, await response.text().catch(() => "cut")];
  };
  try {
    assertEquals(await ask("list", "/ä"), [200, '["list","/ä"]']);
    assertEquals(await ask("list", "/none"), [409, "No list"]);
    assertEquals(await ask("download", "/a"), [200, "one two"]);
    assertEquals(await ask("download", "/none"), [409, "No such file"]);
    assertEquals(await ask("download", "/half"), [200, "cut"], "half a file looks like none");
    assertEquals(await ask("upload", "/up", "xyz"), [200, "{}"]);
    assertEquals(uploaded, ["/up", "xyz"]);
    assertEquals(await ask("delete", "/a"), [404, "No such thing"]);
  } finally {
    panel.close();
  }
});

browserTest("the page says when the panel is gone", () =>
  withPanel(async (panel) => {
    const { chromium: driver } = await import("playwright-core");
    const browser = await driver.launch(launchOptions);
    try {
      const page = await browser.newPage();
      await page.goto(panel.url);
      await page.getByText("Waiting").waitFor();
      panel.close();
      await page.getByText("No panel").waitFor();
    } finally {
      await browser.close();
    }
  }));

for (const width of [390, 320]) {
  browserTest(
    `the page does not scroll sideways when it is ${width} px wide`,
    () =>
      withPanel(async (panel) => {
        const long = "x".repeat(400);
        await reportSome(panel);
        await deliver(panel, "uploadBasicInfo", { ...BASIC_INFO, cpu_name: long, ipv6: long });
        await deliver(panel, "report", {
          ...REPORT,
          message: long,
          network: { up: 2 ** 53, down: 2 ** 53, totalUp: 2 ** 53, totalDown: 2 ** 53 },
        });
        panel.state.tasks = [
          ...panel.state.tasks,
          { id: 9, name: long, type: long, target: long, interval: -(2 ** 53) },
        ];
        await withPage(panel, { width, colorScheme: "dark" }, async (page) => {
          await page.getByText("Online").waitFor();
          await page.locator("#probes tr").nth(3).waitFor();
          const overhang = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth",
          );
          assertEquals(overhang, 0);
        });
      }),
  );
}

async function* eventsOf(response: Response) {
  assert(response.body !== null);
  let pending = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    pending += chunk;
    const events = pending.split("\n\n");
    pending = events.pop() ?? "";
    for (const event of events) yield JSON.parse(event.slice("data: ".length));
  }
}
