import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ReleaseKeys } from "./update/release_keys.ts";
import { writeExecutable } from "./executable.ts";
import { makeCertificate } from "./net/test_authority.ts";
import { exists } from "./exists.ts";
import { mountedInMemory } from "./mounted.ts";

const SCRIPT = decodeURIComponent(new URL("../install.sh", import.meta.url).pathname);
const RELEASES = "https://github.com/some/where/releases";
/** The machine's own, since busybox asks the kernel itself. */
const IS_ARM = Deno.build.arch === "aarch64";
const BINARY = `komari-agent-deno-linux-${IS_ARM ? "arm64" : "amd64"}`;
const PORTABLE = "komari-agent-deno-portable";

/** What the script calls, without what it can do without. */
const TOOLS = "cat chmod dd getconf grep ls mktemp od rm sh tail tr uname wc".split(" ");
const DOWNLOADERS = ["curl", "wget", "busybox wget"];
const HASHERS = ["sha256sum", "shasum", "openssl"];
const SHELLS = ["dash", "busybox ash", "bash"];

function find(tool: string): string | undefined {
  for (const folder of ["/bin", "/usr/bin", "/sbin", "/usr/sbin"]) {
    try {
      if (Deno.statSync(`${folder}/${tool}`).isFile) return `${folder}/${tool}`;
    } catch {
      // Not there.
    }
  }
  return undefined;
}

function isThere(words: string): boolean {
  return find(words.split(" ")[0] ?? "") !== undefined;
}

/**
 * A program as large as a build, with the first bytes of one: a shell, which takes its first word
 * for a script in the working folder.
 */
function binary(): Uint8Array<ArrayBuffer> {
  const shell = Deno.readFileSync(find("dash") ?? "/bin/sh");
  const bytes = new Uint8Array(shell.length + 1024 * 1024);
  bytes.set(shell);
  return bytes;
}

function uname(system: string, machine: string): string {
  return `case "$1" in -m) echo ${machine};; *) echo ${system};; esac`;
}

const PORTABLE_TEXT = `#!/bin/sh\nexec sh "$@"\n${"#".repeat(100_000)}\n`;

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

interface RunOptions {
  shell?: string;
  downloader?: string;
  hasher?: string;
  env?: Record<string, string>;
  /** Programs in the place of the system's, as shell scripts. */
  fakes?: Record<string, string>;
  isPiped?: boolean;
  /** Given by `-c`, under this name: `sh -c "$(curl …)" NAME`. */
  commandName?: string;
  /** What stands on standard input. */
  input?: string;
  /** The script; the checkout's when absent. */
  script?: string;
}

/** A server of releases on loopback, and a machine on which nothing but a folder is written to. */
class World implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "install-script-" });
  /** What there is to download, by its path behind the mirror. */
  readonly files = new Map<string, Uint8Array<ArrayBuffer> | Response | (() => Response)>();
  readonly asked: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const path = new URL(request.url).pathname.slice(1);
      this.asked.push(path);
      const file = this.files.get(path);
      if (file instanceof Response) return file.clone();
      if (typeof file === "function") return file();
      return new Response(file ?? "Not Found", { status: file === undefined ? 404 : 200 });
    });
  }

  /** With a release whose builds are whole. */
  static async open(): Promise<World> {
    const world = new World();
    for (const folder of ["bin", "work", "tmp"]) Deno.mkdirSync(`${world.folder}/${folder}`);
    world.#script("work/version", "echo komari-agent-deno 1.2.3");
    world.#script(
      "work/install",
      'printf "<%s>\\n" "$@" >args; env >env; readlink /proc/$$/exe >exe; exit "${CODE:-0}"',
    );
    await world.release("latest/download");
    return world;
  }

  get mirror(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async release(
    folder: string,
    builds: Record<string, Uint8Array<ArrayBuffer>> = {
      [BINARY]: binary(),
      [PORTABLE]: new TextEncoder().encode(PORTABLE_TEXT),
    },
  ): Promise<void> {
    let sums = "";
    for (const [name, data] of Object.entries(builds)) {
      this.files.set(`${RELEASES}/${folder}/${name}`, data);
      sums += `#size=${data.length}:${name}\n${await sha256(data)}  ${name}\n`;
    }
    this.text(`${folder}/SHA256SUMS`, sums);
  }

  /** What the program says that it is. */
  runs(version: string): void {
    this.#script("work/version", `echo "komari-agent-deno ${version} (linux-amd64)"`);
  }

  text(path: string, text: string): void {
    this.files.set(`${RELEASES}/${path}`, new TextEncoder().encode(text));
  }

  /** Runs the script; by a mirror, unless the arguments name one. */
  async run(
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<{ code: number; output: string }> {
    const { shell = "dash", downloader = "curl", hasher = "sha256sum", script = SCRIPT } = options;
    const input = options.isPiped ? Deno.readTextFileSync(script) : options.input;
    this.#fill({ downloader, hasher, fakes: options.fakes ?? {} });
    const mirror = args.some((arg) => /mirror|ghproxy/.test(arg)) ? [] : ["--mirror", this.mirror];
    const [command = "", ...words] = [...shell.split(" ")];
    if (options.isPiped) words.push("-s", "--");
    else if (options.commandName === undefined) words.push(script);
    else words.push("-c", Deno.readTextFileSync(script), options.commandName);
    for (const left of ["args", "env"]) {
      await Deno.remove(`${this.folder}/work/${left}`).catch(() => {});
    }
    const child = new Deno.Command(find(command) ?? command, {
      args: [...words, ...mirror, ...args],
      cwd: `${this.folder}/work`,
      clearEnv: true,
      env: {
        PATH: `${this.folder}/bin`,
        HOME: this.folder,
        TMPDIR: `${this.folder}/tmp`,
        KOMARI_AGENT_REPOSITORY: "some/where",
        AGENT_ENDPOINT: "https://panel.example",
        ...options.env,
      },
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (input !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(input)).catch(() => {});
      await writer.close().catch(() => {});
    }
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    const left = [...Deno.readDirSync(`${this.folder}/tmp`)].map(({ name }) => name);
    assertEquals(left, [], "nothing is left behind");
    return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  /** Runs the script, which installs, and gives what it says. */
  async installs(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, output } = await this.run(args, options);
    assertEquals(code, 0, `${args}: ${output}`);
    return output;
  }

  /** Runs the script, which installs nothing and says these words, and gives all that it says. */
  async refuses(words: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, output } = await this.run(args, options);
    assertEquals([code, this.given()], [1, undefined], `${args}: ${output}`);
    assertStringIncludes(output, words);
    return output;
  }

  /** What `install` was given the last time: its arguments, and its environment. */
  given(): { args: string[]; env: string } | undefined {
    try {
      const args = Deno.readTextFileSync(`${this.folder}/work/args`);
      const env = Deno.readTextFileSync(`${this.folder}/work/env`);
      return { args: [...args.matchAll(/<([^>]*)>/g)].map(([, arg = ""]) => arg), env };
    } catch {
      return undefined;
    }
  }

  #fill(parts: { downloader: string; hasher: string; fakes: Record<string, string> }): void {
    const bin = `${this.folder}/bin`;
    Deno.removeSync(bin, { recursive: true });
    Deno.mkdirSync(bin);
    const fakes: Record<string, string> = {
      uname: uname("Linux", IS_ARM ? "aarch64" : "x86_64"),
      ldd: 'echo "ldd (Debian GLIBC 2.36-9+deb12u1) 2.36"; echo Copyright',
      deno: "echo deno 2.9.6",
      ...parts.fakes,
    };
    for (const tool of [...TOOLS, "env", "readlink", parts.hasher]) {
      const path = find(tool);
      if (path !== undefined && !(tool in fakes)) Deno.symlinkSync(path, `${bin}/${tool}`);
    }
    const [downloader = "", applet = ""] = parts.downloader.split(" ");
    // A fake must never be written through a link to the machine's own program.
    const downloads = applet || downloader;
    if (!(downloads in fakes)) Deno.symlinkSync(find(downloader) ?? "", `${bin}/${downloads}`);
    for (const [name, text] of Object.entries(fakes)) {
      if (text !== "") this.#script(`bin/${name}`, text);
    }
  }

  #script(path: string, text: string): void {
    const script = `${this.folder}/${path}`;
    writeExecutable(`${script}.new`, `#!/bin/sh\n${text}\n`);
    Deno.renameSync(`${script}.new`, script);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function test(name: string, fn: (world: World) => Promise<void>): void {
  testWith(["curl"], name, fn);
}

/** As {@linkcode test}, with these programs of the machine's. */
function testWith(
  needs: readonly string[],
  name: string,
  fn: (world: World) => Promise<void>,
): void {
  const missing = needs.filter((words) => !isThere(words));
  const isLinux = Deno.build.os === "linux";
  Deno.test({
    name: `install.sh ${name}${missing.length > 0 ? ` (skipped: no ${missing.join(", ")})` : ""}`,
    ignore: missing.length > 0 || !isLinux,
    async fn() {
      await using world = await World.open();
      await fn(world);
    },
  });
}

for (const shell of SHELLS) {
  for (const downloader of DOWNLOADERS) {
    testWith(
      [shell, downloader],
      `downloads, checks and installs in ${shell} by ${downloader}`,
      async (world) => {
        const args = ["-e", "https://panel.example", "-t", "-t0ken"];
        const output = await world.installs(args, { shell, downloader });
        assertStringIncludes(
          output,
          `Downloading ${world.mirror}/${RELEASES}/latest/download/${BINARY}\n`,
        );
        assertStringIncludes(output, "Verified komari-agent-deno 1.2.3\n");
        assertEquals(world.given()?.args, [
          ...["-e", "https://panel.example", "--mirror", world.mirror],
        ]);
      },
    );
  }
}

test("passes arguments on as they are, without the secrets, which stand in the environment", async (world) => {
  const odd = [
    "--header",
    "X-A: b  c",
    "--exclude-nics",
    "a*,$(id)",
    "",
    'it\'s "so"',
    "--install-dir",
    "/o p",
  ];
  const spellings = [["-t", "-s3cret"], ["-t-s3cret"], ["-t=-s3cret"], ["--token", "-s3cret"], [
    "--token=-s3cret",
  ]];
  for (const token of spellings) {
    const key = token.length > 1 ? ["--auto-discovery", "k3y"] : ["--auto-discovery=k3y"];
    const output = await world.installs([...odd, ...token, ...key, "--install-service-name=n"], {
      isPiped: token.length > 1,
    });
    const { args, env } = world.given() ?? { args: [], env: "" };
    assertEquals(args, [...odd, "--install-service-name=n", "--mirror", world.mirror]);
    assertEquals(env.match(/^AGENT_(?!ENDPOINT).*$/gm)?.sort(), [
      "AGENT_AUTO_DISCOVERY_KEY=k3y",
      "AGENT_TOKEN=-s3cret",
    ]);
    assertEquals(output.includes("s3cret") || output.includes("k3y"), false);
  }
});

test("passes on the exit code of the installation", async (world) => {
  assertEquals((await world.run([], { env: { CODE: "7" } })).code, 7);
});

test("takes another version, with or without a v", async (world) => {
  world.runs("0.9.1");
  await world.release("download/v0.9.1");
  for (const version of [["--install-version", "v0.9.1"], ["--install-version=0.9.1"]]) {
    world.asked.length = 0;
    await world.installs(version);
    assertEquals(
      world.asked,
      ["SHA256SUMS", BINARY].map((name) => `${RELEASES}/download/v0.9.1/${name}`),
    );
    assertEquals(world.given()?.args, ["--mirror", world.mirror]);
  }
  for (const bad of ["1.2/../../x", "", "a b"]) {
    await world.refuses(`Cannot use version "${bad}"`, ["--install-version", bad]);
  }
});

test("takes the official script's words for snapshots and mirrors", async (world) => {
  for (const version of ["snapshot", "Snapshot-12"]) {
    world.asked.length = 0;
    const output = await world.installs([
      ...["--mirror", world.mirror, "--install-no-mirror", "--install-version", version, "--gpu"],
    ]);
    assertStringIncludes(output, "There are no signed snapshots: the latest release is installed");
    assertEquals(output.includes("has no effect"), false, output);
    assertEquals(world.asked[0], `${RELEASES}/latest/download/SHA256SUMS`);
    assertEquals(world.given()?.args, ["--gpu", "--mirror", world.mirror]);
  }
});

test("never doubles a mirror's prefix, and gives it to the agent as it is", async (world) => {
  const { mirror } = world;
  const spellings = [
    mirror,
    `${mirror}/`,
    `${mirror}/https://github.com`,
    `${mirror}//https://github.com/`,
  ];
  for (const prefix of spellings) {
    for (const option of ["--mirror", "--install-ghproxy"]) {
      world.asked.length = 0;
      await world.installs([option, prefix, "--gpu"]);
      assertEquals(world.asked[0], `${RELEASES}/latest/download/SHA256SUMS`);
      assertEquals(world.given()?.args, ["--gpu", "--mirror", mirror]);
    }
  }
});

test("installs the portable build where there is a Deno, on musl too", async (world) => {
  const fakes = { ldd: 'echo "musl libc (x86_64)" >&2; exit 1' };
  await world.installs(["--portable", "--gpu"], { fakes });
  assertEquals(world.given()?.args, ["--gpu", "--mirror", world.mirror]);
  await world.refuses("apk add deno", ["--portable"], { fakes: { ...fakes, deno: "" } });
  const named = { fakes: { ...fakes, deno: "" }, env: { DENO: "/bin/true" } };
  assertEquals((await world.run(["--portable"], named)).code, 0);
});

for (const hasher of HASHERS) {
  testWith(["curl", hasher], `finds a wrong sum by ${hasher}`, async (world) => {
    assertEquals((await world.run([], { hasher })).code, 0);
    world.text("latest/download/SHA256SUMS", `${"0".repeat(64)}  ${BINARY}\n`);
    await world.refuses(`and should be ${"0".repeat(64)}`, [], { hasher });
  });
}

const PAGE = "<!DOCTYPE html>\n<html><body>Blocked</body></html>";
const LATEST = "latest/download";
/** Where the build and the sums of the latest release are. */
const BUILD = `${RELEASES}/${LATEST}/${BINARY}`;
const SUMS = `${RELEASES}/${LATEST}/SHA256SUMS`;

/** What the release looks like, and what is said of it. */
const SPOILT: readonly [string, (world: World) => unknown, string][] = [
  ["a build that is not there", (world) => world.files.delete(BUILD), "404"],
  ["sums that are not there", (world) => world.files.delete(SUMS), "404"],
  ["a page in the place of a build", (w) => w.text(`${LATEST}/${BINARY}`, PAGE), "an HTML page"],
  ["a page in the place of the sums", (w) => w.text(`${LATEST}/SHA256SUMS`, PAGE), "an HTML page"],
  [
    "sums without the build",
    (world) => world.text(`${LATEST}/SHA256SUMS`, `${"0".repeat(64)}  other\n`),
    "SHA256SUMS does not list it",
  ],
  [
    "a build that is cut off",
    (world) => world.files.set(BUILD, binary().subarray(0, 900_000)),
    "it has only 900000 bytes",
  ],
  [
    "a build that is not a program",
    (world) => world.release(LATEST, { [BINARY]: new Uint8Array(2_000_000) }),
    "not a program for this system",
  ],
  [
    "a build with another tail",
    (world) => world.files.set(BUILD, binary().fill(1, 1_100_000)),
    "its SHA-256 is",
  ],
  [
    "a redirect in a circle",
    (world) => world.files.set(BUILD, Response.redirect(`${world.mirror}/${BUILD}`)),
    "Cannot download",
  ],
];

for (const [name, spoil, words] of SPOILT) {
  testWith(["curl", "wget"], `refuses ${name}`, async (world) => {
    await spoil(world);
    for (const downloader of ["curl", "wget"]) {
      await world.refuses(words, ["-e", "https://panel.example"], { downloader });
    }
  });
}

/** An answer of 64 MiB without a length, and how much of it was never asked for. */
class LargeAnswer {
  left = 1024;

  response(): Response {
    return new Response(
      new ReadableStream({
        pull: (controller) => {
          controller.enqueue(new Uint8Array(65_536).fill(35));
          if (--this.left === 0) controller.close();
        },
      }),
    );
  }
}

for (const downloader of DOWNLOADERS) {
  for (const shell of SHELLS) {
    const needs = [downloader, shell];
    testWith(
      needs,
      `reads no more than a release states, by ${downloader} under ${shell}`,
      async (world) => {
        for (const [url, largest] of [[SUMS, 65_536], [BUILD, binary().length]] as const) {
          const before = world.files.get(url);
          const large = new LargeAnswer();
          world.files.set(url, () => large.response());
          await world.refuses(`it has more than ${largest} bytes`, [], { downloader, shell });
          assert(large.left > 0, "it has read all");
          world.files.set(url, before ?? new Response());
        }
      },
    );
  }
}

/** The script with the lines that load by wget as they were, which follow every redirect. */
function withoutCheckedRedirects(world: World): string {
  const text = Deno.readTextFileSync(SCRIPT);
  const script = `${world.folder}/work/install.sh`;
  const old = text.replace(
    'fetch_by_wget "$1" "$2" "$3" || loaded=false',
    'wget -O "$2" "$1" >"$folder/log" 2>&1 || loaded=false',
  );
  assert(old !== text, "the script loads by wget as expected");
  Deno.writeTextFileSync(script, old);
  return script;
}

for (const downloader of DOWNLOADERS) {
  const needs = [downloader, "openssl"];
  testWith(needs, `refuses redirects from HTTPS to HTTP by ${downloader}`, async (world) => {
    const pem = await makeCertificate();
    assert(pem !== undefined);
    // GNU's wget reads a file, curl a variable, and openssl, which BusyBox's starts, another.
    const authority = `${world.folder}/authority.pem`;
    Deno.writeTextFileSync(authority, pem.authority);
    Deno.writeTextFileSync(`${world.folder}/wgetrc`, `ca_certificate = ${authority}\n`);
    const env = {
      WGETRC: `${world.folder}/wgetrc`,
      CURL_CA_BUNDLE: authority,
      SSL_CERT_FILE: authority,
    };
    const options = { downloader, env, fakes: OPENSSL };
    let hops: (path: string) => string | undefined;
    await using server = Deno.serve({
      ...{ hostname: "127.0.0.1", port: 0, cert: pem.certificate, key: pem.key, onListen() {} },
    }, (request) => {
      const { pathname } = new URL(request.url);
      const location = hops(pathname);
      if (location !== undefined) return new Response(null, { status: 302, headers: { location } });
      const path = pathname.replace("/hop/", "").replace(/^\//, "");
      const file = world.files.get(path);
      return new Response(file instanceof Uint8Array ? file : "Not Found");
    });
    const https = `https://localhost:${server.addr.port}`;
    const args = ["--mirror", https];

    // Every redirect that stays on HTTPS is followed, whole or relative.
    for (const target of [`${https}/hop`, "/hop", `//localhost:${server.addr.port}/hop`]) {
      // BusyBox takes an address without a protocol for a path.
      if (downloader === "busybox wget" && target.startsWith("//")) continue;
      hops = (path) => path.startsWith("/hop/") ? undefined : `${target}${path}`;
      await world.installs(args, options);
      assertEquals(world.given()?.args, ["--mirror", https]);
    }
    assertEquals(world.asked, []);

    const attacks: ((path: string) => string | undefined)[] = [
      (path) => `${world.mirror}${path}`,
      // By way of another hop, and for the program alone.
      (path) => path.startsWith("/hop/") ? world.mirror + path.slice(4) : `/hop${path}`,
      (path) => path.endsWith("SHA256SUMS") ? undefined : `${world.mirror}${path}`,
    ];
    for (hops of attacks) {
      await world.refuses(`Cannot download ${https}/`, args, options);
    }
    if (downloader !== "busybox wget") assertEquals(world.asked, []);

    if (downloader === "curl") return;
    for (hops of attacks) {
      const script = withoutCheckedRedirects(world);
      await world.installs(args, { ...options, script });
      assertEquals(world.given()?.args, ["--mirror", https]);
    }
    assert(world.asked.length > 0);
  });

  testWith(
    [downloader],
    `follows redirects of a mirror on loopback by ${downloader}`,
    async (world) => {
      for (const [path, file] of [...world.files]) {
        world.files.set(`moved/${path}`, file);
        const location = path.endsWith("SUMS") ? `/moved/${path}` : `${world.mirror}/moved/${path}`;
        world.files.set(path, new Response(null, { status: 302, headers: { location } }));
      }
      await world.installs([], { downloader });
      assertEquals(world.asked.filter((path) => path.startsWith("moved/")).length, 2);
    },
  );
}

testWith(
  ["wget"],
  "refuses a redirect from loopback to plain HTTP elsewhere by wget",
  async (world) => {
    for (const host of ["mirror.example", "127.0.0.1:80@mirror.example", "127.example"]) {
      const headers = { location: `http://${host}/x` };
      world.files.set(SUMS, new Response(null, { status: 302, headers }));
      await world.refuses(`it redirects to http://${host}/x, and only HTTPS is allowed`, [], {
        downloader: "wget",
      });
    }
  },
);

testWith(["sh"], "refuses a wget that doesn't show redirects", async (world) => {
  const old = `case " $* " in *" -S "*) echo "wget: unrecognized option: S" >&2; exit 1 ;; esac`;
  for (const wget of [old, 'case "$1" in --version) exit 1 ;; esac']) {
    await world.refuses("this wget doesn't show redirects", [], {
      downloader: "wget",
      fakes: { wget },
    });
  }
});

const KEYS = new ReleaseKeys();
/** Where a machine has an openssl that supports Ed25519. */
const OPENSSL = { openssl: find("openssl") === undefined ? "" : `exec ${find("openssl")} "$@"` };
const SIGNED = { env: { KOMARI_AGENT_PUBLIC_KEY: KEYS.publicKey }, fakes: OPENSSL };

/** Signs the sums of the release as they are. */
function sign(world: World, keys = KEYS, text = sumsOf(world)): void {
  world.text(`${LATEST}/SHA256SUMS.sig`, keys.sign(text));
}

function sumsOf(world: World): string {
  const file = world.files.get(SUMS);
  return file instanceof Uint8Array ? new TextDecoder().decode(file) : "";
}

for (const shell of SHELLS) {
  testWith(["curl", "openssl", shell], `verifies the signature in ${shell}`, async (world) => {
    sign(world);
    const output = await world.installs([], { ...SIGNED, shell });
    assertEquals(output.includes("checksums only"), false);
    assertEquals(world.given()?.args, ["--mirror", world.mirror]);
  });
}

/** What somebody does who controls the server or the mirror, but has not the private key. */
const ATTACKS: readonly [string, (world: World) => void, string][] = [
  ["a release whose signature was stripped", () => {}, "Cannot download"],
  ["a signature by another key", (world) => sign(world, new ReleaseKeys()), "is not signed"],
  ["a signature of other sums", (world) => sign(world, KEYS, "other\n"), "is not signed"],
  [
    "sums that were changed after they were signed",
    (world) => {
      const sums = sumsOf(world);
      world.text(`${LATEST}/SHA256SUMS`, `${sums}${"0".repeat(64)}  other\n`);
      sign(world, KEYS, sums);
    },
    "is not signed",
  ],
  ["a signature that is a page", (w) => w.text(`${LATEST}/SHA256SUMS.sig`, PAGE), "is not signed"],
  ["a signature that is empty", (w) => w.text(`${LATEST}/SHA256SUMS.sig`, "\n"), "is not signed"],
];

for (const [name, attack, words] of ATTACKS) {
  testWith(["curl", "openssl"], `refuses ${name}`, async (world) => {
    attack(world);
    await world.refuses(words, [], SIGNED);
    assert(!world.asked.some((path) => path.endsWith(BINARY)), "nothing else was downloaded");
  });
}

test("says so where it can compare sums only", async (world) => {
  const old = `case "$1" in base64) cat ;; *) echo "unknown option -rawin" >&2; exit 1 ;; esac`;
  for (const fakes of [{ openssl: "" }, { openssl: old }]) {
    const output = await world.installs([], { env: SIGNED.env, fakes });
    assertStringIncludes(output, "Comparing checksums only: verifying the signature takes openssl");
  }
  const { output } = await world.run([], { fakes: OPENSSL });
  assertStringIncludes(output, "checksums only: this script has no public key of some/where");
});

testWith(
  ["curl", "openssl"],
  "takes the stamped key for the stamped repository only",
  async (world) => {
    sign(world);
    const text = Deno.readTextFileSync(SCRIPT)
      .replace(/^REPOSITORY='.*'$/m, "REPOSITORY='some/where'")
      .replace("PUBLIC_KEY=''", `PUBLIC_KEY='${KEYS.publicKey}'`);
    const script = `${world.folder}/work/install.sh`;
    Deno.writeTextFileSync(script, text);
    const stamped = { script, fakes: OPENSSL, env: { KOMARI_AGENT_REPOSITORY: "" } };
    assertEquals((await world.installs([], stamped)).includes("checksums only"), false);
    sign(world, new ReleaseKeys());
    await world.refuses("is not signed", [], stamped);
    for (const [path, file] of [...world.files]) {
      world.files.set(path.replace("some/where", "a/b"), file);
    }
    const output = await world.installs([], {
      ...stamped,
      env: { KOMARI_AGENT_REPOSITORY: "a/b" },
    });
    assertStringIncludes(output, "checksums only: this script has no public key of a/b");
  },
);

test("refuses a mirror over plain HTTP, but on loopback", async (world) => {
  const prefixes = [
    "http://mirror.example",
    "http://127.example",
    "http://localhost.example",
    "http://127.0.0.1:80@mirror.example",
  ];
  for (const prefix of prefixes) {
    await world.refuses("plain HTTP is refused", ["--mirror", prefix]);
  }
  assertEquals([world.asked, world.given()], [[], undefined]);
});

test("refuses a downgrade that was not asked for", async (world) => {
  const installed = (version: string) => ({
    fakes: { "komari-agent-deno": `echo "komari-agent-deno ${version} (linux-amd64)"` },
  });
  for (const newer of ["1.2.4", "1.3.0", "2.0.0", "1.10.0"]) {
    await world.refuses(`the newer version ${newer} is installed`, [], installed(newer));
  }
  await world.release("download/v1.2.3");
  for (const args of [[], ["--install-version", "1.2.3"]]) {
    for (const other of ["1.2.3", "1.2.2", "1.1.9", "0.9.10", args.length > 0 ? "2.0.0" : "odd"]) {
      await world.installs(args, installed(other));
    }
  }
  world.runs("1.1.0");
  await world.refuses("the downloaded program is version 1.1.0", ["--install-version", "1.2.3"]);
});

test("shows no secret in its arguments while it downloads", async (world) => {
  const fakes = {
    curl: `tr "\\0" " " </proc/$PPID/cmdline >>'${world.folder}/seen'; exec ${find("curl")} "$@"`,
  };
  const args = ["--portable", "-t", "s3cret", "--auto-discovery=k3y", "--gpu"];
  await world.installs(args, { fakes });
  const seen = Deno.readTextFileSync(`${world.folder}/seen`);
  assertStringIncludes(seen, "--gpu");
  assertEquals(/s3cret|k3y/.test(seen), false, seen);
  assertEquals(world.given()?.args, ["--gpu", "--mirror", world.mirror]);
  assertEquals(world.given()?.env.match(/^AGENT_(?!ENDPOINT).*$/gm)?.length, 2);
});

for (const shell of SHELLS) {
  testWith([shell, "curl"], `runs no file of the current folder in ${shell}`, async (world) => {
    const names = ["sh", "bash", "dash", "ash", "busybox", "@", "install.sh"];
    for (const name of names) {
      const path = `${world.folder}/work/${name}`;
      Deno.writeTextFileSync(path, `NAME=komari-agent-deno\n: >'${world.folder}/attacked'\n`);
    }
    for (const way of [{ isPiped: true }, ...names.map((commandName) => ({ commandName }))]) {
      await world.installs(["-t", "s3cret"], { shell, ...way });
      assertEquals(exists(`${world.folder}/attacked`), false);
    }
  });
}

test("starts again only as a file that nobody else can have changed", async (world) => {
  const fakes = {
    curl: `tr "\\0" " " </proc/$PPID/cmdline >>'${world.folder}/seen'; exec ${find("curl")} "$@"`,
  };
  const script = `${world.folder}/install.sh`;
  const seen = `${world.folder}/seen`;
  Deno.copyFileSync(SCRIPT, script);
  for (const [mode, isShown] of [[0o644, false], [0o666, true], [0o664, true]] as const) {
    Deno.chmodSync(script, mode);
    Deno.writeTextFileSync(seen, "");
    await world.installs(["-t", "s3cret"], { script, fakes });
    assertEquals(Deno.readTextFileSync(seen).includes("s3cret"), isShown, mode.toString(8));
  }
  if (Deno.uid() !== 0) return;
  Deno.chmodSync(script, 0o644);
  Deno.chownSync(script, 12345, 12345);
  Deno.writeTextFileSync(seen, "");
  await world.installs(["-t", "s3cret"], { script, fakes });
  assertStringIncludes(Deno.readTextFileSync(seen), "s3cret");
});

test("runs nothing in a folder where another user could put a file in its place", async (world) => {
  const tmp = `${world.folder}/tmp`;
  const fakes = {
    mktemp: `echo "$2" >>'${world.folder}/made'; case $2 in /var/*) exit 1 ;; esac; ` +
      `exec ${find("mktemp")} "$@"`,
  };
  const made = async () => {
    Deno.writeTextFileSync(`${world.folder}/made`, "");
    await world.installs(["--portable", "-t", "s3cret"], { fakes });
    return Deno.readTextFileSync(`${world.folder}/made`);
  };
  for (const [mode, isUsed] of [[0o700, true], [0o1777, true], [0o777, false]] as const) {
    Deno.chmodSync(tmp, mode);
    assertEquals((await made()).startsWith(`${tmp}/`), isUsed, mode.toString(8));
  }
  if (Deno.uid() !== 0) return;
  for (const mode of [0o700, 0o1777]) {
    Deno.chmodSync(tmp, mode);
    Deno.chownSync(tmp, 12345, 12345);
    assertEquals((await made()).startsWith(`${tmp}/`), false, mode.toString(8));
  }
});

test("reads the token from standard input", async (world) => {
  for (const words of [["--token-file", "-"], ["--token-file=/dev/stdin"]]) {
    for (const input of ["-s3cret\n", "-s3cret"]) {
      await world.installs([...words, "--gpu"], { input });
      assertEquals(world.given()?.args, ["--gpu", "--mirror", world.mirror]);
      assertStringIncludes(world.given()?.env ?? "", "AGENT_TOKEN=-s3cret\n");
    }
  }
  const words = ["--token-file", "-"];
  await world.refuses("Cannot read the token: there is none", words, { input: "" });
  await world.refuses("which this script comes from", words, { isPiped: true });
  await world.run(["--token-file", "/etc/token"]);
  assertEquals(world.given()?.args, ["--token-file=/etc/token", "--mirror", world.mirror]);
});

test("says what a program says that does not start here", async (world) => {
  Deno.writeTextFileSync(`${world.folder}/work/version`, "echo it lacks a library >&2; exit 127");
  await world.refuses("Cannot run the program here: it lacks a library", []);
});

const ldd = (text: string) => ({ ldd: `printf '%s\\n' "${text}"` });

/** Systems on which nothing can be installed, and what is said instead. */
const SYSTEMS: readonly [string, Record<string, string>, string][] = [
  ["musl", { ldd: 'echo "musl libc (x86_64)" >&2; exit 1' }, "apk add deno"],
  ["an old glibc", ldd("ldd (GNU libc) 2.17"), "glibc 2.17, as on CentOS 7"],
  [
    "an old glibc of Ubuntu",
    ldd("ldd (Ubuntu GLIBC 2.26-0ubuntu2) 2.26"),
    "need glibc 2.27 or newer",
  ],
  ["an old glibc without ldd", { ldd: "", getconf: "echo glibc 2.17" }, "glibc 2.17"],
  [
    "another processor",
    { uname: uname("Linux", "armv7l") },
    "Cannot install on a armv7l processor",
  ],
  ["another system", { uname: "echo FreeBSD" }, "Cannot install on FreeBSD"],
  ["32 bits", { getconf: "echo 32" }, "a 32-bit system"],
];

for (const [name, fakes, words] of SYSTEMS) {
  test(`downloads nothing on ${name}, and says what to do`, async (world) => {
    await world.refuses(words, ["-e", "https://panel.example"], { fakes });
    assertEquals([world.asked, world.given()], [[], undefined]);
  });
}

const FINE: readonly [string, Record<string, string>, string][] = [
  ["the oldest glibc", ldd("ldd (Ubuntu GLIBC 2.27-3ubuntu1.6) 2.27"), BINARY],
  ["a glibc of three numbers", ldd("ldd (GNU libc) 2.35.9000"), BINARY],
  ["an unknown library", { ldd: "exit 1", getconf: "exit 1" }, BINARY],
  ["a Mac", { uname: uname("Darwin", "arm64") }, "komari-agent-deno-darwin-arm64"],
  ["an ARM server", { uname: uname("Linux", "aarch64") }, "komari-agent-deno-linux-arm64"],
];

for (const [name, fakes, build] of FINE) {
  test(`asks for the right build on ${name}`, async (world) => {
    await world.run([], { fakes });
    assert(world.asked.includes(`${RELEASES}/latest/download/${build}`), world.asked.join("\n"));
  });
}

test("says what is missing, and has a help", async (world) => {
  const script = `${world.folder}/work/install.sh`;
  const unstamped = Deno.readTextFileSync(SCRIPT).replace(/^REPOSITORY='.*'$/m, "REPOSITORY=''");
  Deno.writeTextFileSync(script, unstamped);
  const env = { KOMARI_AGENT_REPOSITORY: "" };
  await world.refuses("KOMARI_AGENT_REPOSITORY=owner/name", [], { script, env });
  await world.refuses("Cannot use --token alone", ["-e", "https://panel.example", "--token"]);
  await world.refuses("there is neither curl nor wget", [], { downloader: "true" });
  await world.refuses("neither sha256sum nor shasum nor openssl", [], { hasher: "true" });
  const output = await world.installs(["--help"]);
  assertStringIncludes(output, "--install-ghproxy PREFIX");
  const official = await world.run(["--install-future", "--gpu"]);
  assertStringIncludes(official.output, "--install-future has no effect");
  assertEquals(world.given()?.args, ["--gpu", "--mirror", world.mirror]);
});

testWith(
  ["curl", "mount"],
  "takes another folder where no program can be started in the first",
  async (world) => {
    await using mount = await mountedInMemory(`${world.folder}/tmp`, "size=8m,noexec");
    if (mount === undefined) return;
    await world.installs([]);
    const exe = Deno.readTextFileSync(`${world.folder}/work/exe`);
    assert(exe.startsWith("/var/tmp/"), exe);
  },
);

const SHELL_SCRIPTS = [
  "install.sh",
  ".ci/run",
  "lib/sandbox/helper_shell.sh",
  "lib/sandbox/helper_shell_darwin.sh",
];

for (const path of SHELL_SCRIPTS) {
  testWith(["shellcheck"], `and ${path} have nothing that ShellCheck finds`, async () => {
    const { code, stdout } = await new Deno.Command("shellcheck", {
      args: [decodeURIComponent(new URL(`../${path}`, import.meta.url).pathname)],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stdout));
  });
}

test("names a mirror where GitHub can't be reached, and not where it has no such file", async (world) => {
  const args = ["-e", "https://p.example", "--install-no-mirror"];
  const withCurl = (error: string) => ({
    downloader: "curl",
    fakes: { curl: `echo '${error}' >&2; exit 1` },
  });
  const hint = "name a mirror of it that you trust: --mirror https://…";
  await world.refuses(hint, args, withCurl("curl: (28) Connection timed out"));
  const missing = withCurl("curl: (22) The requested URL returned error: 404");
  assertEquals((await world.refuses("Cannot download", args, missing)).includes(hint), false);
});

test("asks whether the mirror is right where it refuses, or can't be reached", async (world) => {
  const hint = "is the mirror right? without --mirror, GitHub itself is asked";
  const at = (mirror: string) => ["-e", "https://p.example", "--mirror", mirror];
  for (
    const [mirror, reason] of [
      ["https://m.example", "curl: (6) Could not resolve host: m.example"],
      ["https://m.example", "curl: (22) The requested URL returned error: 403"],
      ["https://m.example", "curl: (28) Connection timed out after 15002 milliseconds"],
    ] as const
  ) {
    const fakes = { curl: `echo '${reason}' >&2; exit 1` };
    await world.refuses(`: ${reason}; ${hint}`, at(mirror), { downloader: "curl", fakes });
  }
  const zh = { env: { LC_ALL: "zh_CN.UTF-8" }, fakes: { sed: `exec ${find("sed")} "$@"` } };
  world.files.clear();
  for (const downloader of ["curl", "wget"]) {
    await world.refuses(hint, at(world.mirror), { downloader });
    await world.refuses("；镜像地址对吗？不加 --mirror", at(world.mirror), { ...zh, downloader });
  }
});

Deno.test("install.sh has Chinese for all that it says", async () => {
  const script = Deno.readTextFileSync(SCRIPT);
  const [chinese = ""] = /^chinese\(\) \{[^]*?^\}$/m.exec(script) ?? [];
  const texts = Array.from(
    script.matchAll(/\b(?:say|fail) ((?:"(?:[^"\\]|\\.)*"(?: \\\n *)?)+)/g),
    ([, words = ""]) =>
      words.replace(/" \\\n *"/g, " ").slice(1, -1).replace(/\$\{[^}]*\}|\$\w+/g, "X")
        .replace(/\\(.)/g, "$1"),
  ).filter((text) => text !== "X" && text !== "$*");
  assert(texts.length > 30, `${texts.length}`);
  const child = new Deno.Command("sh", {
    args: ["-c", `${chinese}\nchinese`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(texts.join("\n") + "\n"));
  await writer.close();
  const lines = new TextDecoder().decode((await child.output()).stdout).trim().split("\n");
  assertEquals(lines.length, texts.length);
  const left = lines.filter((line) =>
    !/[\u4e00-\u9fff]/.test(line) || /[a-z]{3,} [a-z]{3,} [a-z]{2,} /.test(line)
  );
  assertEquals(left, []);
});

test("speaks Chinese where the machine does, or --lang says so", async (world) => {
  const options = { fakes: { sed: `exec ${find("sed")} "$@"` } };
  const zh = { ...options, env: { LC_ALL: "zh_CN.UTF-8" } };
  await world.refuses("不能单独使用 --mirror：后面必须有值", ["--mirror"], zh);
  await world.refuses("不能单独使用 -t", ["--lang", "zh", "--mirror", world.mirror, "-t"], options);
  const english = { ...options, env: { LANG: "zu_ZA.UTF-8" } };
  await world.refuses("Cannot use --mirror alone", ["--mirror"], english);
  const { output } = await world.run(["--help"], zh);
  assertStringIncludes(output, "此脚本的选项：");
});

test("says before it downloads that no panel is given, or that it updates", async (world) => {
  const env = { AGENT_ENDPOINT: "" };
  await world.refuses("Cannot install: no panel is given; -e https://", [], { env });
  assertEquals(world.asked, []);
  for (const args of [["-e", "https://p.example"], ["-ehttps://p.example"], ["--config", "c"]]) {
    assertEquals((await world.run(args, { env })).code, 0, `${args}`);
  }
  await world.refuses("no panel is given", ["-t", "s3cret"], { env });
  const folder = `${world.folder}/.config/komari-agent-deno`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(`${folder}/install.json`, JSON.stringify({ pinned: "" }, null, 2));
  const output = await world.installs([], { env });
  assert(output.indexOf("is installed, so it is updated") < output.indexOf("Downloading"), output);
  assertStringIncludes(output, "keeps its panels and options");
});

Deno.test("install.sh says that updates go on from a version, and keeps a pinned one", async () => {
  await using world = await World.open();
  await world.release("download/v1.2.3");
  const goOn = "Automatic updates go on from version 1.2.3 to newer ones; --pin keeps it";
  const named = await world.run(["--install-version", "1.2.3"]);
  assertStringIncludes(named.output, goOn);
  const pin = await world.run(["--install-version", "1.2.3", "--pin"]);
  assertEquals(pin.output.includes(goOn), false);
  assertEquals(world.given()?.args.includes("--pin"), true);
  assertEquals((await world.run([])).output.includes("updates go on"), false);

  const record = `${world.folder}/.config/node-2`;
  Deno.mkdirSync(record, { recursive: true });
  const text = JSON.stringify({ service: "node-2", pinned: "1.2.3", rootOptions: {} }, null, 2);
  Deno.writeTextFileSync(`${record}/install.json`, text);
  for (const name of [["--install-service-name", "node-2"], ["--install-service-name=node-2"]]) {
    world.asked.length = 0;
    const output = await world.installs(name);
    assertStringIncludes(output, "node-2 is pinned to version 1.2.3, which stays");
    assertEquals(world.asked.every((path) => path.includes("/download/v1.2.3/")), true);
  }
  const unset = ["--install-service-name", "node-2", "--unset", "pin"];
  world.asked.length = 0;
  await world.run(unset);
  assertEquals(world.asked.every((path) => path.includes("/latest/download/")), true);
  assertEquals(world.given()?.args.slice(0, 4), unset);

  world.runs("1.1.0");
  await world.release("download/v1.1.0");
  const other = await world.run(["--install-version", "1.1.0", ...unset.slice(0, 2)]);
  assertStringIncludes(other.output, "was pinned to version 1.2.3, and is pinned to version 1.1.0");
  assertEquals(world.given()?.args.includes("--pin"), true);
});
