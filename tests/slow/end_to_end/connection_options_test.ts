import { assert, assertEquals, assertGreater } from "@std/assert";
import { panelFault } from "../../test_panel/faults.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { startNameServer } from "../../net/fake_name_server.ts";
import { startHttpProxy, startSocksProxy, type TestProxy } from "../../net/fake_proxies.ts";
import { makeCertificate } from "../../net/test_authority.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { RawServer } from "../../net/raw_server.ts";

const TOKEN = "w4y-0ptions+/&=";
const certificate = await makeCertificate();

/** By WebSocket, and by POST where WebSockets are blocked. */
const CARRIERS = [["WebSocket", undefined], ["POST", panelFault("websocket-refused")]] as const;

async function play(
  use: (panel: TestPanel) => Promise<void>,
  fault: typeof CARRIERS[number][1],
): Promise<void> {
  using panel = await startTestPanel({ token: TOKEN, ...(fault === undefined ? {} : { fault }) });
  await use(panel);
  assertEquals(panel.state.violations, []);
}

async function reports(
  panel: TestPanel,
  endpoint: string,
  options: { args?: readonly string[]; env?: Record<string, string> } = {},
): Promise<string> {
  const args = ["-e", endpoint, "-t", TOKEN, "-i", "0.2", ...options.args ?? []];
  await using agent = new AgentProcess(args, options);
  const before = panel.state.counts;
  await panel.state.until(
    ({ counts }) => counts.reports >= before.reports + 3 && counts.basicInfos > before.basicInfos,
  ).catch((error) => {
    throw new Error(`No report arrived:\n${agent.output}`, { cause: error });
  });
  await agent.stop();
  assertEquals(agent.output.includes(TOKEN), false, agent.output);
  return agent.output;
}

for (const [carrier, fault] of CARRIERS) {
  Deno.test(`--header goes along with every call by ${carrier}`, async () => {
    await play(async (panel) => {
      const args = ["--header", "X-One: 1", "--header", "CF-Access-Client-Id: abc.access"];
      const secret = ["--cf-access-client-secret", "s3cr3t-value"];
      const output = await reports(panel, panel.url, { args: [...args, ...secret] });
      assert(!output.includes("s3cr3t-value"));
      assert(panel.state.calls.length > 0);
      for (const { headers, path } of panel.state.calls) {
        assertEquals(headers["x-one"], "1", path);
        assertEquals(headers["cf-access-client-id"], "abc.access", path);
        assertEquals(headers["cf-access-client-secret"], "s3cr3t-value", path);
        assertEquals(headers["origin"], undefined, path);
      }
    }, fault);
  });

  Deno.test(`a proxy of the environment is used for ${carrier}`, async () => {
    await play(async (panel) => {
      const startProxy = [startHttpProxy, startSocksProxy];
      for (const [at, scheme] of ["http", "socks5h"].entries()) {
        const login = "me:pa55word";
        const proxy: TestProxy | undefined = startProxy[at]?.({ login, forwards: true });
        assert(proxy !== undefined);
        await using _ = proxy;
        const url = `${scheme}://me:pa55word@127.0.0.1:${proxy.port}`;
        const output = await reports(panel, panel.url, { env: { HTTP_PROXY: url } });
        assertGreater(proxy.requests.length, 0, "it was asked");
        assert(!output.includes("pa55word"), output);
      }
    }, fault);
  });

  Deno.test(`--custom-dns and --prefer-ip-version find the panel by ${carrier}`, async () => {
    await play(async (panel) => {
      await using server = await startNameServer({
        "panel.test": { A: ["127.0.0.1"], AAAA: ["::1"] },
        "xn--bcher-kva.test": { A: ["127.0.0.1"] },
      });
      const args = ["--custom-dns", `127.0.0.1:${server.port}`, "--prefer-ip-version", "4"];
      await reports(panel, `http://panel.test:${panel.port}`, { args });
      await reports(panel, `http://bücher.test:${panel.port}`, { args });
      assert(server.questions.includes("panel.test A"), server.questions.join());
      assert(server.questions.includes("xn--bcher-kva.test A"), server.questions.join());
    }, fault);
  });

  Deno.test({
    name: `TLS: --ca-cert and --ignore-unsafe-cert reach the panel by ${carrier}`,
    ignore: certificate === undefined,
    async fn() {
      if (certificate === undefined) return;
      await play(async (panel) => {
        await using front = new RawServer((it) => it.leadTo(panel.port), { certificate });
        const file = await Deno.makeTempFile();
        await Deno.writeTextFile(file, certificate.authority);
        const endpoint = `https://localhost:${front.port}`;
        await reports(panel, endpoint, { args: ["--ca-cert", file] });
        const output = await reports(panel, endpoint, { args: ["-u"] });
        assert(/any certificate/i.test(output), output);
        await Deno.remove(file);
        await using agent = new AgentProcess(["-e", endpoint, "-t", TOKEN, "-i", "0.2"]);
        await agent.says("the certificate of localhost is not trusted");
        assertEquals(agent.lines("is not trusted").length, 1, agent.output);
      }, fault);
    },
  });
}
