import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { attempt } from "../../../lib/attempt.ts";
import { parseFault } from "../../../lib/demo/fault.ts";
import type { StandInPanel } from "../../../lib/demo/stand_in_panel.ts";
import { deliverRpc } from "../../test_panel/fake_agent.ts";
import { BASIC_INFO, REPORT } from "../../test_panel/fake_reporter.ts";
import { report, reportSome, startPanel } from "../../demo/page_panel.ts";
import { PATIENCE_MS } from "../../patience.ts";
import { realDeadline } from "../../real_deadline.ts";
import { marked, newMark } from "../../remote/processes_below.ts";
import { isolatedTest } from "../../own_process.ts";
import { hasOwnNetwork, OWN_NETWORK } from "../../own_network.ts";
import { skipReason } from "../live/command.ts";

const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
  .find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });

const launchOptions = {
  ...(chromium === undefined ? {} : { executablePath: chromium }),
  timeout: PATIENCE_MS,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
};

/** Opens the page in a browser, and fails on any error in it and on any request to another host. */
async function withPage(
  panel: StandInPanel,
  options: { width: number; colorScheme: "dark" | "light" },
  use: (page: Page) => Promise<void>,
): Promise<void> {
  const { chromium: driver } = await import("playwright-core");
  const mark = `--mark-of-the-test=${newMark()}`;
  const run = async () => {
    const args = [...launchOptions.args, mark];
    const browser = await driver.launch({ ...launchOptions, args });
    try {
      const { width, colorScheme } = options;
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
      page.setDefaultTimeout(PATIENCE_MS);
      const troubles: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") troubles.push(message.text());
      });
      page.on("pageerror", (error) => troubles.push(error.message));
      page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(`${panel.url}/`) && !url.startsWith("data:")) troubles.push(url);
      });
      await page.goto(panel.url);
      await use(page);
      // A panel that is gone answers nothing.
      if (!panel.signal.aborted) assertEquals(troubles, []);
    } finally {
      await browser.close();
    }
  };
  try {
    await realDeadline(run());
  } finally {
    // When anything of it hangs.
    for (const { pid } of marked(mark)) attempt(() => Deno.kill(pid, "SIGKILL"));
  }
}

function test(
  name: string,
  width: number,
  use: (page: Page, panel: StandInPanel) => Promise<void>,
  language: "en" | "zh" = "en",
): void {
  isolatedTest(import.meta.url, {
    name: name + skipReason(chromium === undefined ? "no Chromium in /usr/bin" : undefined),
    async fn() {
      using panel = startPanel(language);
      const colorScheme = width < 400 ? "dark" : "light";
      await withPage(panel, { width, colorScheme }, (page) => use(page, panel));
    },
    ignore: chromium === undefined,
    // The driver keeps a pipe to the browser for a moment longer than the browser lives.
    sanitizeOps: false,
    sanitizeResources: false,
    // The browser gives up its requests whenever an interface of its network comes or goes.
  }, { through: hasOwnNetwork ? OWN_NETWORK : [] });
}

test(
  "the page shows values, plots, losses and probes as they arrive",
  1200,
  async (page, panel) => {
    await page.getByText("Waiting").waitFor();
    const titles = await page.locator("#tiles .tile h3").allTextContents();
    assertEquals(titles.length, 7);
    await reportSome(panel);

    await page.getByText("Online").waitFor();
    assertEquals(await page.locator("#tiles .tile h3").allTextContents(), titles);
    const tiles = page.locator("#tiles");
    for (const text of ["21 %", "4.69 GiB of 15.6 GiB", "142 TCP", "14 d 6 h", "20 KiB/s"]) {
      await tiles.getByText(text).first().waitFor();
    }
    for (const text of ["Debian GNU/Linux 12 (bookworm)", "8 (4 physical)", "203.0.113.7"]) {
      await page.locator("#machine").getByText(text).waitFor();
    }
    const bars = await page.locator(".meter div").evaluateAll((bars) =>
      bars.map((it) => [it.style.width, `${(100 * it.clientWidth) / it.parentElement.clientWidth}`])
    );
    for (const [wanted, shown] of bars) {
      assert(Math.abs(parseFloat(wanted) - parseFloat(shown)) < 0.6, `${wanted} ${shown}`);
    }

    const plots = page.locator("#plots svg");
    assertEquals(await plots.count(), 4);
    const network = /^Network over .* up 20 KiB\/s; down 1 MiB\/s$/;
    for (const name of [network, /^Probe latency over .*; 3 lost$/]) {
      await page.getByRole("img", { name }).waitFor();
    }
    for (let index = 0; index < 4; index++) {
      const curve = await plots.nth(index).locator(".curve").first().getAttribute("d") ?? "";
      assertGreater(curve.split("L").length, 3, `points in plot ${index}`);
      const labels = plots.nth(index).locator('text[text-anchor="end"]');
      if (index < 3) assertMatch((await labels.allTextContents())[0] ?? "", /^0 /);
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
  },
);

test(
  "the page shows an agent's data, cards and log as text, whatever they hold",
  1200,
  async (page, panel) => {
    const markup = '<img src=x onerror="document.title=1"><b>bold</b>';
    panel.state.tasks = [{ id: 1, name: markup, type: markup, target: markup, interval: 0 }];
    await deliverRpc(panel, "agent.basicInfo", { info: { ...BASIC_INFO, os: markup } });
    const nothing = { memory_total: 0, memory_used: 0, utilization: 0, temperature: 0 };
    const full = {
      memory_total: 2 ** 34,
      memory_used: 2 ** 30,
      utilization: 42.3,
      temperature: 61,
    };
    const detailed_info = [{ ...full, name: "<b>A</b>" }, { ...nothing, name: "B" }];
    const gpu = { count: 2, average_usage: 21.15, detailed_info };
    await report(panel, { ...REPORT, message: markup, gpu });
    await page.locator("#message").getByText(markup).waitFor();
    await page.locator("#machine").getByText(markup).waitFor();
    const cards = page.locator("#cards");
    for (const card of ["<b>A</b>: 42 % · 1 GiB of 16 GiB · 61 °C", "B: 0.0 %"]) {
      await cards.getByText(card, { exact: true }).waitFor();
    }
    panel.state.addLogLine("2026-01-02T03:04:05.678Z info    agent: Counting <b>eth0</b>");
    await page.getByText("info agent: Counting <b>eth0</b>").waitFor();
    panel.state.addLogLine("\u001b[33mwarning\u001b[0m panel: lost");
    const line = page.locator("#log .warning");
    await line.waitFor();
    assertMatch(await line.textContent() ?? "", /^\d\d:\d\d:\d\dwarning panel: lost$/);
    assertEquals(await page.locator("img, b:not(#presence-word)").count(), 0);
    const [log, tiles] = await Promise.all([
      page.locator("#log").boundingBox(),
      page.locator("#tiles").boundingBox(),
    ]);
    assert(log !== null && tiles !== null && log.x > tiles.x + tiles.width, "beside the tiles");
    await report(panel, REPORT);
    await cards.waitFor({ state: "hidden" });
  },
);

test(
  "the page says when reports stop, and sets, shows and ends a fault",
  1280,
  async (page, panel) => {
    await report(panel, REPORT);
    await page.getByText("Online").waitFor();
    await page.getByText("v2 POST").waitFor();
    await page.clock.install();
    await page.reload();
    await page.getByText("Online").waitFor();
    await page.clock.fastForward(30_000);
    await page.getByText(/^report 3\d s ago$/).waitFor();
    assertEquals(await page.getByText("Online").count(), 1);
    await page.clock.fastForward(6_000);
    await page.getByText("Offline").waitFor();
    assertEquals(await page.getByText("The panel behaves well.").isVisible(), false);
    await page.locator("#developers summary").click();
    await page.getByText("The panel behaves well.").waitFor();
    await page.locator("#fault-choice").selectOption("silence");
    await page.getByText("The panel misbehaves on purpose: silence").waitFor();
    assertEquals(panel.state.fault?.name, "silence");
    await page.locator("#fault-choice").selectOption("");
    await page.getByText("The panel misbehaves").waitFor({ state: "hidden" });
    assertEquals(panel.state.fault, undefined);
    panel.close();
    await page.getByText("No panel").waitFor();
  },
);

test(
  "the page hides what is empty, and shows the numbers on one screen of a phone",
  390,
  async (page, panel) => {
    const info = { ...BASIC_INFO, gpu_name: "None", ipv6: "", swap_total: 0 };
    await deliverRpc(panel, "agent.basicInfo", { info });
    const totals = { totalUp: 1_011 * 1024 ** 3, totalDown: 1_022 * 1024 ** 3 };
    const network = { up: 123_456, down: 234_567, ...totals };
    const load = { load1: 13.49, load5: 13.12, load15: 13.05 };
    await report(panel, { ...REPORT, network, load, swap: { total: 0, used: 0 } });
    await page.getByText("Online").waitFor();
    await page.locator("#tiles").getByText("none").waitFor();
    for (const text of ["Message", "GPU", "Public IPv6", "Graphics cards"]) {
      const all = await page.getByText(text, { exact: true }).all();
      const visible = await Promise.all(all.map((one) => one.isVisible()));
      assertEquals(visible.includes(true), false, text);
    }
    const box = await page.locator("#tiles").boundingBox();
    assert(box !== null && box.y + box.height < 500, `${box?.y} ${box?.height}`);
    const chart = await page.getByRole("img", { name: /^Probe latency/ }).boundingBox();
    assert(chart !== null && chart.y + chart.height < 844, "the first chart is in sight");
    await page.getByText(/^total ↑\s1\D?011\sGiB ↓\s1\D?022\sGiB$/).waitFor();
    const cut = await page.evaluate(
      "[...document.querySelectorAll('.tile p')].filter((it) => it.scrollWidth > it.clientWidth)" +
        ".map((it) => it.textContent)",
    );
    assertEquals(cut, []);
  },
);

test("the page is in Chinese on demand", 1200, async (page, panel) => {
  await reportSome(panel);
  await page.getByText("在线").waitFor();
  const text = await page.locator("body").innerText();
  panel.setFault(parseFault("silence"));
  await page.locator("#developers summary").click();
  await page.getByText("面板接受每个请求，但从不回复。").waitFor();
  const english = text.replace(/\S*[\d/.]\S*/g, "").match(/\b(Now|Memory|Disk|Lost|ago|used)\b/);
  assertEquals(english, null, text);
}, "zh");
