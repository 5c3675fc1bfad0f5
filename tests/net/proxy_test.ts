import { assertEquals, assertRejects } from "@std/assert";
import { NetDialer } from "../../lib/net/dialer.ts";
import { DialError } from "../../lib/net/errors.ts";
import { startSocksProxy } from "./fake_proxies.ts";
import { RawServer } from "./raw_server.ts";
import { sameLater } from "../cases.ts";

const { signal } = new AbortController();

/** Dials through a proxy that resolves names, whose last answer is `answer`; gives what it was asked for. */
async function dialThrough(
  answer: Uint8Array<ArrayBuffer>,
  { url = "ws://panel.test:8443", login = "" } = {},
): Promise<{ first: string; request: string }> {
  await using proxy = startSocksProxy({ answer, ...(login === "" ? {} : { login }) });
  const user = login === "" ? "" : `${login}@`;
  const dialer = new NetDialer({ proxies: { http: `socks5h://${user}127.0.0.1:${proxy.port}` } });
  const { stream } = await dialer.dial(new URL(url), { signal });
  const buffer = new Uint8Array(10);
  const count = await stream.read(buffer) ?? 0;
  stream.close();
  const first = new TextDecoder().decode(buffer.subarray(0, count));
  return { first, request: proxy.requests.join() };
}

/** The start of an answer by which the proxy agrees. */
const AGREED = [5, 0, 0];

Deno.test("openSocksTunnel() reads the bound address of any kind, and nothing behind it", async () => {
  const port = [1, 2];
  const addresses = [
    [1, ...Array<number>(4).fill(9)],
    [3, 11, ...Array<number>(11).fill(9)],
    [4, ...Array<number>(16).fill(9)],
  ];
  for (const address of addresses) {
    const answer = Uint8Array.from([...AGREED, ...address, ...port, 104, 105]);
    assertEquals((await dialThrough(answer)).first, "hi");
  }
});

Deno.test("openSocksTunnel() asks for an address as such, and for names of up to 255 bytes", async () => {
  const answer = Uint8Array.from([...AGREED, 1, 0, 0, 0, 0, 0, 0, 104]);
  const requestOf = async (url: string) => (await dialThrough(answer, { url })).request;
  assertEquals(await requestOf("ws://192.0.2.1:258"), "192.0.2.1:258");
  assertEquals(
    await requestOf("ws://[2001:db8::1]:8443"),
    "32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1:8443",
  );
  const name = `${"a".repeat(60)}.`.repeat(4) + "panel.test";
  assertEquals(await requestOf(`ws://${name}:8443`), `${name}:8443`);
  const user = "u".repeat(255);
  assertEquals((await dialThrough(answer, { login: `${user}:p` })).first, "h");
  for (const [login, what] of [[`${user}u:p`, "user"], [`u:${user}p`, "password"]] as const) {
    const dialled = () => dialThrough(answer, { login });
    await assertRejects(dialled, DialError, `the ${what} is too long for SOCKS 5`);
  }
});

/** What is said of a server that answers each message by the next of these. */
async function toldOf(login: string, ...answers: (string | number[])[]): Promise<string> {
  await using server = new RawServer(async (peer) => {
    for (const answer of answers) {
      await peer.readSome();
      await peer.write(typeof answer === "string" ? answer : Uint8Array.from(answer));
    }
    await peer.ended();
  });
  const http = `socks5h://${login}127.0.0.1:${server.port}`;
  const dialer = new NetDialer({ proxies: { http } });
  const dialling = dialer.dial(new URL("ws://panel.test:8443"), { signal });
  const { message } = await assertRejects(() => dialling, DialError);
  return message.replace(/.*: /, "");
}

Deno.test("openSocksTunnel() says why the proxy refuses, and names no login to one that asks for a missing one", async () => {
  const reasons = [
    "with a general failure",
    "that its rules forbid the connection",
    "that the network is unreachable",
    "that the host is unreachable",
    "that the connection was refused",
    "that the TTL expired",
    "that it does not support CONNECT",
    "that it does not support this type of address",
    "failure 9",
  ];
  const other = "the proxy does not speak SOCKS 5";
  const wrong = "the proxy answers that user or password is wrong";
  await sameLater(([login, ...answers]) => toldOf(login, ...answers), [
    ...reasons.map((it, at) => [["", [5, 0], [5, at + 1, 0, 1]], `the proxy answers ${it}`]),
    [["", "HTTP/1.1 400 Bad Request\r\n\r\n"], other],
    [["", [4, 0]], other],
    [["", [5, 0], [4, 0, 0, 1]], other],
    [["a:b@", [0, 2], [1, 0]], other],
    [["", [5, 2]], "the proxy requires another authentication method"],
    ...[1, 2, 255].map((status) => [["a:b@", [5, 2], [1, status]], wrong]),
  ] as [[string, ...(string | number[])[]], string][]);
});
