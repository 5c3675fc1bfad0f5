import { assertEquals, assertRejects } from "@std/assert";
import { createSocket } from "node:dgram";
import { dnsQuery, parseDnsAnswer, queryNameServer } from "../../lib/net/dns_query.ts";
import { sameLater } from "../cases.ts";
import { TestNameServer } from "./fake_name_server.ts";

const { signal } = new AbortController();

Deno.test("queryNameServer() gives a name's addresses, or the response code in words", async () => {
  await using server = await TestNameServer.start({
    "panel.test": { A: ["192.0.2.1", "192.0.2.2"] },
    "six.test": { AAAA: ["2001:db8::1"] },
  });
  const address = { host: "127.0.0.1", port: server.port };
  await sameLater(async (question) => {
    const [name = "", type = "A"] = question.split(" ");
    const options = { type: type === "A" ? "A" : "AAAA", timeoutMs: 5_000, signal } as const;
    const { code, addresses } = await queryNameServer(address, name, options);
    return [code, ...addresses].join(" ");
  }, [
    ["panel.test", "NOERROR 192.0.2.1 192.0.2.2"],
    ["panel.test.", "NOERROR 192.0.2.1 192.0.2.2"],
    ["six.test", "NOERROR"],
    ["six.test AAAA", "NOERROR 2001:db8::1"],
    ["none.test", "NXDOMAIN"],
  ]);
});

Deno.test("queryNameServer() ends when there is no answer, and takes none of another question", async () => {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  // An answer to another question.
  socket.on("message", (query: Uint8Array, { port, address }) => {
    const answer = Uint8Array.from(query);
    answer[0] = ~(query[0] ?? 0);
    answer[2] = 0x80;
    socket.send(answer, port, address);
  });
  const address = { host: "127.0.0.1", port: socket.address().port };
  const asking = () => queryNameServer(address, "x.test", { timeoutMs: 50, signal });
  await assertRejects(asking, DOMException, "no answer within 0.05 s").finally(() =>
    socket.close()
  );
});

Deno.test("parseDnsAnswer() reads what it can of any bytes", () => {
  const query = dnsQuery("a.example", 7);
  assertEquals(parseDnsAnswer(query, 7), undefined, "a question");
  assertEquals(parseDnsAnswer(new Uint8Array(3), 7), undefined);
  const answer = Uint8Array.from(query);
  answer[2] = 0x80;
  const table = [[0, "NOERROR"], [2, "SERVFAIL"], [5, "REFUSED"], [9, "response code 9"]];
  for (const [code, name] of table) {
    answer[3] = Number(code);
    assertEquals(parseDnsAnswer(answer, 7), { code: String(name), addresses: [] });
  }
  answer[3] = 0;
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1];
  const whole = Uint8Array.from([...answer, ...record]);
  whole[7] = 1;
  assertEquals(parseDnsAnswer(whole, 7)?.addresses, ["192.0.2.1"]);
  // Wherever it is cut, and however long it claims to be.
  whole[6] = 0xff;
  for (let end = 12; end < whole.length; end++) {
    assertEquals(parseDnsAnswer(whole.subarray(0, end), 7)?.addresses, [], String(end));
  }
});
