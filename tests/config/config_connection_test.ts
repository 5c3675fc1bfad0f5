import { assertEquals, assertObjectMatch, assertStringIncludes } from "@std/assert";
import { refusal, resolve } from "./resolved.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nMIIB+a/=\n-----END CERTIFICATE-----";
const KEY = "-----BEGIN PRIVATE KEY-----\nMIIC\n-----END PRIVATE KEY-----";

Deno.test("resolveConfig() takes each option of the connection by flag, variable and key", () => {
  const flags = "--transport http --protocol-version 1 -c 7.5 --disable-compression " +
    "--prefer-ip-version 6 --custom-dns 192.0.2.1:5353 --ignore-unsafe-cert --ca-cert pem";
  const env = {
    AGENT_TRANSPORT: "http",
    AGENT_PROTOCOL_VERSION: "1",
    AGENT_RECONNECT_INTERVAL: "7.5",
    AGENT_DISABLE_COMPRESSION: "true",
    AGENT_PREFER_IP_VERSION: "6",
    AGENT_CUSTOM_DNS: "192.0.2.1:5353",
    AGENT_IGNORE_UNSAFE_CERT: "1",
    AGENT_CA_CERT: "pem",
  };
  const keys = Object.entries(env).map(([name, value]) => [name.slice(6).toLowerCase(), value]);
  const files = { pem: PEM, c: JSON.stringify(Object.fromEntries(keys)) };
  const all = [
    resolve(flags.split(" "), { files }),
    resolve([], { files, env }),
    resolve(["--config", "c"], { files }),
  ];
  for (const config of all) {
    assertObjectMatch({ ...config }, {
      ...{ transport: "http", protocolVersion: 1, reconnectIntervalSeconds: 7.5 },
      ...{ compression: false, preferFamily: 6, anyCertificate: true, caCerts: [`${PEM}\n`] },
      nameServer: { host: "192.0.2.1", port: 5353 },
    });
    assertStringIncludes(config.notices.join(), "any certificate is trusted");
  }
});

Deno.test("resolveConfig() takes headers from repeated flags, lines, arrays and objects", () => {
  const wanted = [["X-One", "1: a"], ["x-two", ""]];
  const ways = [
    resolve(["--header", "X-One: 1: a", "--header=x-two:"]),
    resolve([], { env: { AGENT_HEADERS: "X-One: 1: a\r\n\nx-two:\n" } }),
    ...['["X-One: 1: a", "x-two:"]', '{"X-One": "1: a", "x-two": ""}', '"X-One:1: a\\nx-two:"'].map(
      (headers) => resolve(["--config", "c"], { files: { c: `{"headers": ${headers}}` } }),
    ),
  ];
  for (const { headers } of ways) assertEquals(headers.map((header) => [...header]), wanted);
});

Deno.test("resolveConfig() makes no second header of a line feed within one", () => {
  const cases = [
    '["X: 1\\nY: 2"]',
    '["X: 1\\rY: 2"]',
    '{"X": "1\\r\\nY: 2"}',
    '{"X": ["1"]}',
    '{"X": null}',
  ];
  for (const headers of cases) {
    const message = refusal(["--config", "c"], { files: { c: `{"headers": ${headers}}` } });
    assertStringIncludes(message, 'Cannot use key "headers" of c: expected a text, an array');
  }
});

Deno.test("resolveConfig() lets an explicit header win over the one for Cloudflare Access", () => {
  const access = ["--cf-access-client-id", "id", "--cf-access-client-secret", "hidden"];
  const expected = [["CF-Access-Client-Id", "id"], ["CF-Access-Client-Secret", "hidden"]] as const;
  assertEquals(resolve(access).headers, expected);
  const wanted = [["cf-access-client-id", "other"], ["CF-Access-Client-Secret", "hidden"]] as const;
  assertEquals(resolve([...access, "--header", "cf-access-client-id: other"]).headers, wanted);
});

Deno.test("resolveConfig() names a bad --ca-cert and takes nothing but certificates of it", () => {
  const two = { files: { pem: `# mine\n${PEM}\n${KEY}\n${PEM}\n` } };
  assertEquals(resolve(["--ca-cert", "pem"], two).caCerts, [`${PEM}\n`, `${PEM}\n`]);
  assertEquals(resolve(["--ca-cert", ""]).caCerts, []);
  const added = { ...two, systemAuthorities: () => ["added"] };
  assertEquals(resolve(["--ca-cert", "pem"], added).caCerts, [`${PEM}\n`, `${PEM}\n`, "added"]);
  assertEquals(resolve(["config", "show"], added).caCerts, []);
  assertEquals(refusal(["--ca-cert", "gone"]), "Cannot read --ca-cert gone: no such file");
  for (const pem of ["", KEY, PEM.slice(0, -5), "-----BEGIN CERTIFICATE-----"]) {
    const message = refusal(["--ca-cert", "pem"], { files: { pem } });
    assertStringIncludes(message, "Cannot use --ca-cert pem: there is no certificate");
    assertEquals(message.includes("MII"), false);
  }
});

Deno.test("resolveConfig() uses no proxy for the panel of the demo, nor refuses one for --help", () => {
  const env = { HTTP_PROXY: "socks4://x" };
  assertEquals(resolve(["demo"], { env }).proxies, {});
  assertEquals(resolve(["--help"], { env }).proxies, {});
  assertStringIncludes(refusal([], { env }), "variable HTTP_PROXY");
});
