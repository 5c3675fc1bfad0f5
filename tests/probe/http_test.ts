import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { describeError } from "../../lib/log/log.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import { probeHttp } from "../../lib/probe/http.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { isolatedTest } from "../own_process.ts";
import { RawServer, write } from "./raw_server.ts";

const signal = new AbortController().signal;
const resolver = new SystemResolver();
const certificate = await makeCertificate();

type Answer = (path: string, connection: Deno.TcpConn) => Promise<"keep" | undefined | void>;

async function withServer(answer: Answer, use: (server: RawServer) => Promise<void>) {
  const server = new RawServer(answer);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

function probe(url: string, options: Partial<Parameters<typeof probeHttp>[1]> = {}) {
  return probeHttp(new URL(url), { signal, resolver, ...options });
}

/** The whole chain of causes, as the log would show it. */
async function failure(probe: () => Promise<number>): Promise<string> {
  return describeError(await assertRejects(probe, Error));
}

Deno.test("probeHttp() sends one plain request and measures until the answer's head is there", async () => {
  await withServer(
    (_, connection) => write(connection, "HTTP/1.1 200 OK\r\n\r\n"),
    async (server) => {
      const ms = await probe(`http://127.0.0.1:${server.port}/a?b=c#d`);
      assert(ms > 0 && ms < 1000, `${ms}`);
      const [head = "", ...more] = server.requests;
      assertEquals(more, []);
      const [first = "", ...headers] = head.toLowerCase().trimEnd().split("\r\n");
      assertEquals(first, "get /a?b=c http/1.1");
      for (
        const header of [
          `host: 127.0.0.1:${server.port}`,
          "user-agent: mozilla/5.0 (compatible; komari-agent-deno)",
          "connection: close",
        ]
      ) {
        assert(headers.includes(header), `${header} in ${headers}`);
      }
    },
  );
});

Deno.test("probeHttp() takes a status of 200 to 399 for success, all others not", async () => {
  await withServer(
    (path, connection) => write(connection, `HTTP/1.1 ${path.slice(1)} Word\r\n\r\n`),
    async (server) => {
      const base = `http://127.0.0.1:${server.port}`;
      for (const status of [200, 204, 299, 300, 301, 304, 307, 399]) {
        assert(await probe(`${base}/${status}`) > 0);
      }
      for (const status of [400, 401, 404, 500, 503, 599]) {
        assertEquals(
          await failure(() => probe(`${base}/${status}`)),
          `Cannot probe 127.0.0.1:${server.port}: the status is ${status}`,
        );
      }
    },
  );
});

Deno.test("probeHttp() passes over interim answers and heads that come in pieces", async () => {
  const pieces = [
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n",
    "\r",
    "\nHTTP/1.1 204 No",
    " Content\n\n",
  ];
  await withServer(async (_, connection) => {
    for (const piece of pieces) {
      await write(connection, piece);
      await delay(1);
    }
  }, async (server) => {
    assert(await probe(`http://127.0.0.1:${server.port}/`) > 0);
  });
});

/** Redirects `/N` to `/N-1`, by turns to a path and to another host, and answers `/0`. */
async function countDown(path: string, connection: Deno.TcpConn): Promise<void> {
  const left = Number(path.slice(1));
  const next = left % 2 === 0
    ? `http://other.example:${connection.localAddr.port}/${left - 1}`
    : `/${left - 1}`;
  await write(
    connection,
    left === 0
      ? "HTTP/1.1 200 OK\r\n\r\n"
      : `HTTP/1.1 302 Found\r\nLocation: ${next}\r\nContent-Length: 0\r\n\r\n`,
  );
}

Deno.test("probeHttp() follows ten redirects, each name resolved and its time not counted", async () => {
  await withServer(countDown, async (server) => {
    const asked: string[] = [];
    const slow = {
      resolve: async (host: string) => {
        asked.push(host);
        await delay(20);
        return ["127.0.0.1"];
      },
    };
    const startedAtMs = performance.now();
    const ms = await probe(`http://start.example:${server.port}/10`, { resolver: slow });
    assertLess(ms, performance.now() - startedAtMs - 11 * 15);
    assertEquals(asked, ["start.example", ...Array(10).fill("other.example")]);
    assertMatch(
      server.requests[1] ?? "",
      new RegExp(`host: other.example:${server.port}\r\n`, "i"),
    );
  });
});

Deno.test("probeHttp() rejects at the eleventh redirect and in a loop", async () => {
  const local = { resolve: () => Promise.resolve(["127.0.0.1"]) };
  await withServer(countDown, async (server) => {
    const url = `http://127.0.0.1:${server.port}/11`;
    const text = await failure(() => probe(url, { resolver: local }));
    assertEquals(text, `Cannot probe 127.0.0.1:${server.port}: more than 10 redirects`);
  });
  await withServer(
    (_, connection) => write(connection, "HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n"),
    async (server) => {
      await failure(() => probe(`http://127.0.0.1:${server.port}/`));
      assertEquals(server.requests.length, 11);
    },
  );
});

Deno.test("probeHttp() refuses redirects to where no probe may go, without naming queries", async () => {
  const locations = [
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "http://me:word@127.0.0.1/",
    "http://",
  ];
  await withServer(
    (path, connection) =>
      write(
        connection,
        `HTTP/1.1 302 Found\r\nLocation: ${locations[Number(path[1])]}?secret\r\n\r\n`,
      ),
    async (server) => {
      for (const index of locations.keys()) {
        const text = await failure(() => probe(`http://127.0.0.1:${server.port}/${index}`));
        assert(text.startsWith("Cannot p") && !text.includes("secret"), text);
      }
    },
  );
});

Deno.test("probeHttp() takes a redirect without a location for success", async () => {
  await withServer(
    (_, connection) => write(connection, "HTTP/1.1 301 Moved\r\n\r\n"),
    async (server) => {
      assert(await probe(`http://127.0.0.1:${server.port}/`) > 0);
    },
  );
});

Deno.test("probeHttp() rejects when the response is no HTTP, is cut off or empty", async () => {
  const answers = ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nServ", "", "\r\n\r\n"];
  await withServer(
    (path, connection) => write(connection, answers[Number(path[1])] ?? ""),
    async (server) => {
      for (const index of answers.keys()) {
        const text = await failure(() => probe(`http://127.0.0.1:${server.port}/${index}`));
        assert(text.startsWith(`Cannot probe 127.0.0.1:${server.port}`), text);
      }
    },
  );
});

Deno.test("probeHttp() rejects when the head has no end", async () => {
  await withServer(async (_, connection) => {
    await write(connection, "HTTP/1.1 200 OK\r\n");
    while (true) await write(connection, "X-Long: " + "x".repeat(1000) + "\r\n");
  }, async (server) => {
    const text = await failure(() => probe(`http://127.0.0.1:${server.port}/`));
    assert(text.includes("head is too large"), text);
  });
});

Deno.test("probeHttp() gives up on interim answers without an end when its signal aborts", async () => {
  await withServer(async (_, connection) => {
    while (true) await write(connection, "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000));
  }, async (server) => {
    const controller = new AbortController();
    const endless = probe(`http://127.0.0.1:${server.port}/`, { signal: controller.signal });
    const timer = setTimeout(() => controller.abort(new Error("enough")), 30);
    await assertRejects(() => endless, Error, "enough");
    clearTimeout(timer);
    while (server.open > 0) await delay(1);
  });
});

Deno.test("probeHttp() takes a head for success, however the body ends", async () => {
  await withServer(
    (_, connection) => write(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"),
    async (server) => {
      assert(await probe(`http://127.0.0.1:${server.port}/`) > 0);
    },
  );
});

Deno.test("probeHttp() reaches IPv6 literals", async () => {
  const server = new RawServer(
    (_, connection) => write(connection, "HTTP/1.1 200 OK\r\n\r\n"),
    { hostname: "::1" },
  );
  try {
    assert(await probe(`http://[::1]:${server.port}/`) > 0);
    assertMatch(server.requests[0] ?? "", new RegExp(`host: \\[::1\\]:${server.port}\r\n`, "i"));
  } finally {
    await server.close();
  }
});

Deno.test("probeHttp() rejects a port that fetch does not go to, and a status that is none", async () => {
  const blocked = await failure(() => probe("http://127.0.0.1:6000/?secret"));
  assert(!blocked.includes("secret"), blocked);
  assertMatch(blocked, /^Cannot probe 127\.0\.0\.1:6000: .*6000 are blocked/);
  await withServer(
    (_, connection) => write(connection, "HTTP/1.1 999 Odd\r\n\r\n"),
    async (server) => {
      const odd = await failure(() => probe(`http://127.0.0.1:${server.port}/?secret`));
      assert(odd.startsWith("Cannot probe 127.0.0.1:") && !odd.includes("secret"), odd);
    },
  );
});

Deno.test("probeHttp() names no query of a request that fails on its way", async () => {
  await withServer((_, connection) => write(connection, "nonsense\r\n\r\n"), async (server) => {
    for (const scheme of ["http", "https"]) {
      const url = `${scheme}://127.0.0.1:${server.port}/path)?secret`;
      const text = await failure(() => probe(url));
      assert(text.startsWith("Cannot probe 127.0.0.1:") && !text.includes("secret"), text);
    }
  });
});

Deno.test("probeHttp() names no address of an error that it does not know", async () => {
  const { fetch } = globalThis;
  globalThis.fetch = (url) => Promise.reject(new TypeError(`cannot fetch ${url}: it is odd`));
  try {
    const text = await failure(() => probe("http://127.0.0.1:1/path?secret"));
    assertEquals(text, "Cannot probe 127.0.0.1:1: cannot fetch … it is odd");
  } finally {
    globalThis.fetch = fetch;
  }
});

Deno.test("probeHttp() leaves a body that has no end unread and hangs up", async () => {
  let sent = 0;
  let hungUp = false;
  await withServer(async (_, connection) => {
    await write(connection, "HTTP/1.1 200 OK\r\n\r\n");
    try {
      while (true) {
        await write(connection, "x".repeat(65_536));
        sent += 65_536;
      }
    } finally {
      hungUp = true;
    }
  }, async (server) => {
    assert(await probe(`http://127.0.0.1:${server.port}/`) > 0);
    while (!hungUp) await delay(1);
    assertLess(sent, 16 * 1024 * 1024);
  });
});

Deno.test("probeHttp() rejects with the signal's reason when the server is mute, and hangs up", async () => {
  for (const scheme of ["http", "https"]) {
    let arrived = () => {};
    const arrival = new Promise<void>((resolve) => arrived = resolve);
    await withServer((_, _connection) => {
      arrived();
      return Promise.resolve("keep");
    }, async (server) => {
      const controller = new AbortController();
      const mute = probe(`${scheme}://127.0.0.1:${server.port}/`, { signal: controller.signal });
      arrival.then(() => controller.abort(new Error("enough")));
      await assertRejects(() => mute, Error, "enough");
      while (server.open > 0) await delay(1);
    });
  }
});

Deno.test("probeHttp() rejects when the connection is refused or the name unknown", async () => {
  const server = new RawServer(() => Promise.resolve());
  await server.close();
  const text = await failure(() => probe(`http://127.0.0.1:${server.port}/`));
  assert(text.includes("Cannot connect to 127.0.0.1"), text);
  const unknown = { resolve: () => Promise.reject(new Error("Cannot resolve x")) };
  assertEquals(await failure(() => probe("http://x/", { resolver: unknown })), "Cannot resolve x");
});

Deno.test({
  name: "probeHttp() verifies TLS: authority, name and address (needs openssl)",
  ignore: certificate === undefined,
  fn: async () => {
    if (!certificate) return;
    await using server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      cert: certificate.certificate,
      key: certificate.key,
      onListen: () => {},
    }, () => new Response("x".repeat(100_000)));
    const { port } = server.addr;
    const caCerts = [certificate.authority];
    const local = { resolve: () => Promise.resolve(["127.0.0.1"]) };
    for (const host of ["localhost", "localhost.", "127.0.0.1"]) {
      assert(await probe(`https://${host}:${port}/`, { resolver: local, caCerts }) > 0);
    }
    const stranger = await failure(() => probe(`https://localhost:${port}/`, { resolver: local }));
    assert(stranger.includes("UnknownIssuer"), stranger);
    const wrong = await failure(() =>
      probe(`https://other.example:${port}/`, { resolver: local, caCerts })
    );
    assert(wrong.includes("not valid for name"), wrong);
  },
});

Deno.test({
  name: "probeHttp() sends no proxy's password to an https server (needs openssl)",
  ignore: certificate === undefined,
  fn: async () => {
    if (!certificate) return;
    const heads: string[] = [];
    await using server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      cert: certificate.certificate,
      key: certificate.key,
      onListen: () => {},
    }, ({ headers }) => {
      heads.push(JSON.stringify([...headers]));
      return new Response();
    });
    const proxy = "http://user:secret@127.0.0.1:1";
    const program = new URL("probe_in_process.ts", import.meta.url).pathname;
    const url = `https://localhost:${server.addr.port}/`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", "--no-check", program, url, certificate.authority],
      env: { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, ALL_PROXY: proxy, NO_PROXY: "" },
      stderr: "inherit",
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "ok\n");
    assertEquals(heads.length, 1);
    assert(!/authorization/i.test(heads[0] ?? ""), heads[0]);
  },
});

isolatedTest(import.meta.url, {
  name: "probeHttp() leaves nothing open after 200 probes of all outcomes",
  sanitizeResources: true,
  sanitizeOps: true,
  fn: () => leavesNothingOpen(),
});

async function leavesNothingOpen(): Promise<void> {
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const answer: Answer = async (path, connection) => {
    if (path === "/ok") await write(connection, "HTTP/1.1 200 OK\r\n\r\nbody");
    if (path === "/bad") await write(connection, "nonsense\r\n\r\n");
    return path === "/mute" ? "keep" : undefined;
  };
  const mute: Answer = () => Promise.resolve("keep");
  await withServer(answer, (server) =>
    withServer(mute, async (muteServer) => {
      const urls = [
        `http://127.0.0.1:${server.port}/ok`,
        `http://127.0.0.1:${server.port}/bad`,
        `https://127.0.0.1:${server.port}/`,
        `http://127.0.0.1:${server.port}/mute`,
        `https://127.0.0.1:${muteServer.port}/`,
      ];
      const one = async (index: number) => {
        const url = urls[index % urls.length] ?? "";
        const controller = new AbortController();
        const running = probe(url, { signal: controller.signal });
        // So that it meets all stages, from connecting to reading.
        const abort = () => controller.abort();
        const timer = index % urls.length > 2 ? setTimeout(abort, index % 7) : undefined;
        await running.catch(() => {});
        clearTimeout(timer);
      };
      const batch = async (from: number) => {
        await Promise.all(Array.from({ length: 10 }, (_, offset) => one(from + offset)));
      };
      // The runtime closes its own ends a moment later.
      const settled = async () => {
        let last = count();
        for (let same = 0; same < 10; await delay(5)) {
          same = count() === last ? same + 1 : 0;
          last = count();
        }
        return last;
      };
      // What the runtime opens once for all is not a leak.
      await batch(0);
      await batch(1);
      const before = await settled();
      for (let index = 0; index < 200; index += 10) await batch(index);
      assertEquals(await settled(), before);
      assertEquals(server.open + muteServer.open, 0);
    }));
}
