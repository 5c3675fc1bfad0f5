import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ReleaseKeys } from "../../update/release_keys.ts";
import { writeExecutable } from "../../executable.ts";
import { makeCertificate } from "../../net/test_authority.ts";
import { exists } from "../../exists.ts";
import { mountedInMemory } from "../../mounted.ts";

const pathOf = (path: string) =>
  decodeURIComponent(new URL(`../../../${path}`, import.meta.url).pathname);
const SCRIPT = pathOf("install.sh");
const RELEASES = "https://github.com/some/where/releases";
/** The machine's own, since busybox asks the kernel itself. */
const IS_ARM = Deno.build.arch === "aarch64";
const BINARY = `komari-agent-deno-linux-${IS_ARM ? "arm64" : "amd64"}`;
const PORTABLE = "komari-agent-deno-portable";

/** What the script calls, without what it can do without. */
const TOOLS = "cat chmod dd getconf grep ls mktemp od rm sh tail tr uname wc".split(" ");
const DOWNLOADERS = ["curl", "wget", "busybox wget"];
const SHELLS = ["dash", "busybox ash", "bash"];

function find(tool: string): string | undefined {
  const folders = ["/bin", "/usr/bin", "/sbin", "/usr/sbin"];
  return folders.map((folder) => `${folder}/${tool}`).find(exists);
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
    world.script("work/version", "echo komari-agent-deno 1.2.3");
    world.script(
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
      sums += `#size=${data.length}:${name}\n${
        new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex()
      }  ${name}\n`;
    }
    this.text(`${folder}/SHA256SUMS`, sums);
  }

  /** What the program says that it is. */
  runs(version: string): void {
    this.script("work/version", `echo "komari-agent-deno ${version} (linux-amd64)"`);
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

  /** The script with a change, stamped with a repository or none. */
  changed(before: string, after: string, repository = ""): string {
    const text = Deno.readTextFileSync(SCRIPT);
    const script = `${this.folder}/work/install.sh`;
    assert(text.includes(before), "the script is as expected");
    const stamp = `REPOSITORY='${repository}'`;
    Deno.writeTextFileSync(
      script,
      text.replace(before, () => after).replace(/^REPOSITORY='.*'$/m, stamp),
    );
    return script;
  }

  /** Asserts what `install` was given, beside the mirror. */
  gave(...args: readonly string[]): void {
    assertEquals(this.given()?.args, [...args, "--mirror", this.mirror]);
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
      if (text !== "") this.script(`bin/${name}`, text);
    }
  }

  /** The record of an installed service, below the home. */
  records(service: string, fields: object): void {
    const folder = `${this.folder}/.config/${service}`;
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(`${folder}/install.json`, JSON.stringify(fields, null, 2));
  }

  script(path: string, text: string): void {
    const script = `${this.folder}/${path}`;
    writeExecutable(`${script}.new`, `#!/bin/sh\n${text}\n`);
    Deno.renameSync(`${script}.new`, script);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Tests with a world and these programs of the machine's. */
function test(name: string, fn: (world: World) => Promise<void>, ...needs: string[]): void {
  const missing = ["curl", ...needs].filter((it) => find(it.split(" ")[0] ?? "") === undefined);
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
    const way = { shell, downloader };
    test(
      `downloads, checks and installs in ${shell} by ${downloader}`,
      async (world) => {
        const output = await world.installs(["-e", "https://panel.example", "-t", "-t0ken"], way);
        const url = `${world.mirror}/${RELEASES}/latest/download/${BINARY}`;
        assertStringIncludes(output, `Downloading ${url}\n`);
        assertStringIncludes(output, "Verified komari-agent-deno 1.2.3\n");
        world.gave("-e", "https://panel.example");
      },
      shell,
      downloader,
    );

    test(
      `reads no more than a release states, by ${downloader} under ${shell}`,
      async (world) => {
        for (const [url, largest] of [[SUMS, 65_536], [BUILD, binary().length]] as const) {
          const before = world.files.get(url);
          const large = new LargeAnswer();
          world.files.set(url, () => large.response());
          await world.refuses(`it has more than ${largest} bytes`, [], way);
          assert(large.left > 0, "it has read all");
          world.files.set(url, before ?? new Response());
        }
      },
      shell,
      downloader,
    );
  }
}

const odd = ["X-A: b  c", "a*,$(id)", "", 'it\'s "so"', "--install-dir", "/o p"];

test("passes arguments on as they are, without the secrets, which stand in the environment", async (world) => {
  for (
    const token of [
      ...[["-t", "-s3cret"], ["-t-s3cret"], ["-t=-s3cret"]],
      ...[["--token", "-s3cret"], ["--token=-s3cret"]],
    ]
  ) {
    const isPiped = token.length > 1;
    const key = isPiped ? ["--auto-discovery", "k3y"] : ["--auto-discovery=k3y"];
    const words = [...odd, ...token, ...key, "--install-service-name=n"];
    const output = await world.installs(words, { isPiped });
    world.gave(...odd, "--install-service-name=n");
    const names = /^AGENT_(?!ENDPOINT).*$|^DENO_DIR=.*(?=\.\w+\/deno$)/gm;
    assertEquals(world.given()?.env.match(names)?.sort(), [
      "AGENT_AUTO_DISCOVERY_KEY=k3y",
      "AGENT_TOKEN=-s3cret",
      `DENO_DIR=${world.folder}/tmp/komari-agent-deno`,
    ]);
    assertEquals(/s3cret|k3y/.test(output), false);
  }
  assertEquals((await world.run([], { env: { CODE: "7" } })).code, 7, "that of the installation");
});

test("takes another version, and the official script's words for snapshots and mirrors", async (world) => {
  world.runs("0.9.1");
  await world.release("download/v0.9.1");
  for (const version of [["--install-version", "v0.9.1"], ["--install-version=0.9.1"]]) {
    world.asked.length = 0;
    await world.installs(version);
    const release = `${RELEASES}/download/v0.9.1/`;
    assertEquals(world.asked, [`${release}SHA256SUMS`, release + BINARY]);
    world.gave();
  }
  for (const bad of ["1.2/../../x", "", "a b"]) {
    await world.refuses(`Cannot use version "${bad}"`, ["--install-version", bad]);
  }
  world.asked.length = 0;
  const words = [
    "--mirror",
    world.mirror,
    "--install-no-mirror",
    "--install-version",
    "Snapshot-12",
  ];
  const output = await world.installs([...words, "--gpu"]);
  assertStringIncludes(output, "There are no signed snapshots: the latest release is installed");
  assertEquals(output.includes("has no effect"), false, output);
  assertEquals(world.asked[0], SUMS);
  world.gave("--gpu");
});

test("never doubles a mirror's prefix, and refuses plain HTTP but on loopback", async (world) => {
  const { mirror } = world;
  for (const end of ["", "/", "/https://github.com", "//https://github.com/"]) {
    for (const option of ["--mirror", "--install-ghproxy"]) {
      world.asked.length = 0;
      await world.installs([option, mirror + end, "--gpu"]);
      assertEquals(world.asked[0], SUMS);
      world.gave("--gpu");
    }
  }
  world.asked.length = 0;
  for (const host of ["m.example", "127.example", "localhost.example", "127.0.0.1:80@m.example"]) {
    await world.refuses("plain HTTP is refused", ["--mirror", `http://${host}`]);
  }
  assertEquals(world.asked, []);
});

test("installs the portable build where there is a Deno, on musl too", async (world) => {
  const fakes = { ldd: 'echo "musl libc (x86_64)" >&2; exit 1' };
  await world.installs(["--portable", "--gpu"], { fakes });
  world.gave("--gpu");
  const without = { ...fakes, deno: "" };
  await world.refuses("apk add deno", ["--portable"], { fakes: without });
  await world.installs(["--portable"], { fakes: without, env: { DENO: "/bin/true" } });
});

for (const hasher of ["sha256sum", "shasum", "openssl"]) {
  test(`finds a wrong sum by ${hasher}`, async (world) => {
    await world.installs([], { hasher });
    world.text(`${LATEST}/SHA256SUMS`, `${"0".repeat(64)}  ${BINARY}\n`);
    await world.refuses(`and should be ${"0".repeat(64)}`, [], { hasher });
  }, hasher);
}

const PAGE = "<!DOCTYPE html>\n<html><body>Blocked</body></html>";
const LATEST = "latest/download";
/** Where the build and the sums of the latest release are. */
const BUILD = `${RELEASES}/${LATEST}/${BINARY}`;
const SUMS = `${RELEASES}/${LATEST}/SHA256SUMS`;
const OTHER = `${"0".repeat(64)}  other\n\u009b31m  ${BINARY}\n`;

/** What is said of a release, and what it looks like. */
const SPOILT: Readonly<Record<string, (world: World) => unknown>> = {
  "404: no build": (world) => world.files.delete(BUILD),
  "404: no sums": (world) => world.files.delete(SUMS),
  "an HTML page: for the build": (world) => world.text(`${LATEST}/${BINARY}`, PAGE),
  "an HTML page: for the sums": (world) => world.text(`${LATEST}/SHA256SUMS`, PAGE),
  "it is a pre-release": (world) => world.runs("2.0.0-rc.1"),
  "SHA256SUMS does not list it": (world) => world.text(`${LATEST}/SHA256SUMS`, OTHER),
  "it has only 900000 bytes": (w) => w.files.set(BUILD, binary().subarray(0, 900_000)),
  "not a program for this system": (w) => w.release(LATEST, { [BINARY]: new Uint8Array(2e6) }),
  "its SHA-256 is: another": (world) => world.files.set(BUILD, binary().fill(1, 1_100_000)),
  "Cannot download: a circle": (world) =>
    world.files.set(BUILD, Response.redirect(`${world.mirror}/${BUILD}`)),
};

for (const [name, spoil] of Object.entries(SPOILT)) {
  test(`refuses a spoilt release (${name})`, async (world) => {
    await spoil(world);
    const [words = ""] = name.split(": ");
    for (const downloader of ["curl", "wget"]) await world.refuses(words, [], { downloader });
  }, "wget");
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

/** The script with the lines that load by wget as they were, which follow every redirect. */
function withoutCheckedRedirects(world: World): string {
  return world.changed(
    'fetch_by_wget "$1" "$2" "$3" || loaded=false',
    'wget -O "$2" "$1" >"$folder/log" 2>&1 || loaded=false',
  );
}

for (const downloader of DOWNLOADERS) {
  test(
    `refuses redirects from HTTPS to HTTP by ${downloader}`,
    async (world) => {
      const pem = await makeCertificate();
      assert(pem !== undefined);
      // GNU's wget reads a file, curl a variable, and openssl, which BusyBox's starts, another.
      const authority = `${world.folder}/authority.pem`;
      Deno.writeTextFileSync(authority, pem.authority);
      const WGETRC = `${world.folder}/wgetrc`;
      Deno.writeTextFileSync(WGETRC, `ca_certificate = ${authority}\n`);
      const env = { WGETRC, CURL_CA_BUNDLE: authority, SSL_CERT_FILE: authority };
      const options = { downloader, env, fakes: OPENSSL };
      let hops: (path: string) => string | undefined;
      await using server = Deno.serve({
        ...{ hostname: "127.0.0.1", port: 0, cert: pem.certificate, key: pem.key, onListen() {} },
      }, (request) => {
        const { pathname } = new URL(request.url);
        const location = hops(pathname);
        if (location !== undefined) {
          return new Response(null, { status: 302, headers: { location } });
        }
        const file = world.files.get(pathname.replace("/hop/", "").replace(/^\//, ""));
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
        assertEquals(world.given()?.args, args);
      }
      assertEquals(world.asked, []);
      // Without openssl, BusyBox's takes any certificate.
      if (downloader === "busybox wget") {
        await world.refuses("this wget checks no certificates", args, { downloader });
      }

      const attacks: ((path: string) => string | undefined)[] = [
        (path) => `${world.mirror}${path}`,
        // By way of another hop, and for the program alone.
        (path) => path.startsWith("/hop/") ? world.mirror + path.slice(4) : `/hop${path}`,
        (path) => path.endsWith("SHA256SUMS") ? undefined : `${world.mirror}${path}`,
      ];
      for (hops of attacks) await world.refuses(`Cannot download ${https}/`, args, options);
      if (downloader !== "busybox wget") assertEquals(world.asked, []);

      if (downloader === "curl") return;
      for (hops of attacks) {
        await world.installs(args, { ...options, script: withoutCheckedRedirects(world) });
        assertEquals(world.given()?.args, args);
      }
      assert(world.asked.length > 0);
    },
    downloader,
    "openssl",
  );

  test(`follows redirects of a mirror on loopback by ${downloader}`, async (world) => {
    for (const [path, file] of [...world.files]) {
      world.files.set(`moved/${path}`, file);
      const location = path.endsWith("SUMS") ? `/moved/${path}` : `${world.mirror}/moved/${path}`;
      world.files.set(path, new Response(null, { status: 302, headers: { location } }));
    }
    await world.installs([], { downloader });
    assertEquals(world.asked.filter((path) => path.startsWith("moved/")).length, 2);
  }, downloader);
}

test(
  "refuses what wget could follow from loopback to plain HTTP elsewhere, or does not show",
  async (world) => {
    const downloader = "wget";
    for (const host of ["mirror.example", "127.0.0.1:80@mirror.example", "127.example"]) {
      const headers = { location: `http://${host}/x` };
      world.files.set(SUMS, new Response(null, { status: 302, headers }));
      const words = `it redirects to http://${host}/x, and only HTTPS is allowed`;
      await world.refuses(words, [], { downloader });
    }
    const old = `case " $* " in *" -S "*) echo "wget: unrecognized option: S" >&2; exit 1 ;; esac`;
    for (const wget of [old, 'case "$1" in --version) exit 1 ;; esac']) {
      await world.refuses("this wget doesn't show redirects", [], { downloader, fakes: { wget } });
    }
  },
  "wget",
);

const KEYS = new ReleaseKeys();
/** Where a machine has an openssl that supports Ed25519. */
const OPENSSL = { openssl: find("openssl") === undefined ? "" : `exec ${find("openssl")} "$@"` };
const SIGNED = { env: { KOMARI_AGENT_PUBLIC_KEY: KEYS.publicKey }, fakes: OPENSSL };

/** Signs the sums of the release as they are. */
function sign(world: World, keys = KEYS): void {
  world.text(`${LATEST}/SHA256SUMS.sig`, keys.sign(sumsOf(world)));
}

function sumsOf(world: World): string {
  const file = world.files.get(SUMS);
  return file instanceof Uint8Array ? new TextDecoder().decode(file) : "";
}

for (const shell of SHELLS) {
  test(
    `verifies the signature in ${shell}`,
    async (world) => {
      sign(world);
      const output = await world.installs([], { ...SIGNED, shell });
      assertEquals(output.includes("checksums only"), false);
      world.gave();
    },
    "openssl",
    shell,
  );
}

/** What somebody does who controls the server or the mirror, but has not the private key. */
const ATTACKS: Readonly<Record<string, (world: World) => void>> = {
  "a signature that was stripped": () => {},
  "a signature by another key": (world) => sign(world, new ReleaseKeys()),
  "sums that were changed after they were signed": (world) => {
    sign(world);
    world.text(`${LATEST}/SHA256SUMS`, `${sumsOf(world)}${OTHER}`);
  },
  "a signature that is a page": (world) => world.text(`${LATEST}/SHA256SUMS.sig`, PAGE),
  "a signature that is empty": (world) => world.text(`${LATEST}/SHA256SUMS.sig`, "\n"),
};

for (const [name, attack] of Object.entries(ATTACKS)) {
  test(`refuses ${name}`, async (world) => {
    attack(world);
    const words = name.includes("stripped") ? "Cannot download" : "is not signed";
    await world.refuses(words, [], SIGNED);
    assert(!world.asked.some((path) => path.endsWith(BINARY)), "nothing else was downloaded");
  }, "openssl");
}

test("says where it compares sums only; a stamped key is for its repository", async (world) => {
  const old = `case "$1" in base64) cat ;; *) echo "unknown option -rawin" >&2; exit 1 ;; esac`;
  for (const fakes of [{ openssl: "" }, { openssl: old }]) {
    const output = await world.installs([], { env: SIGNED.env, fakes });
    assertStringIncludes(output, "checksums only: verifying the signature takes openssl");
  }
  const noKey = "checksums only: this script has no public key of";
  assertStringIncludes(await world.installs([], { fakes: OPENSSL }), `${noKey} some/where`);

  sign(world);
  const script = world.changed("PUBLIC_KEY=''", `PUBLIC_KEY='${KEYS.publicKey}'`, "some/where");
  const stamped = { script, fakes: OPENSSL, env: { KOMARI_AGENT_REPOSITORY: "" } };
  assertEquals((await world.installs([], stamped)).includes("checksums only"), false);
  sign(world, new ReleaseKeys());
  await world.refuses("is not signed", [], stamped);
  for (const [path, file] of [...world.files]) {
    world.files.set(path.replace("some/where", "a/b"), file);
  }
  const env = { KOMARI_AGENT_REPOSITORY: "a/b" };
  assertStringIncludes(await world.installs([], { ...stamped, env }), `${noKey} a/b`);
}, "openssl");

test("refuses a downgrade that was not asked for", async (world) => {
  const text = (version: string) => `echo "komari-agent-deno ${version} (linux-amd64)"`;
  const installed = (version: string) => ({ fakes: { "komari-agent-deno": text(version) } });
  for (const newer of ["1.2.4", "1.3.0", "2.0.0", "1.10.0"]) {
    await world.refuses(`the newer version ${newer} is installed`, [], installed(newer));
  }
  await world.release("download/v1.2.3");
  for (const other of ["1.2.3", "1.2.2", "1.1.9", "0.9.10", "odd"]) {
    await world.installs([], installed(other));
  }
  await world.installs(["--install-version", "1.2.3"], installed("2.0.0"));
  world.runs("1.1.0");
  await world.refuses("the downloaded program is version 1.1.0", ["--install-version", "1.2.3"]);
  // A service of another name, and a command that is not on the path.
  world.script("program", text("1.1.1"));
  world.records("node-2", { program: `${world.folder}/program` });
  await world.refuses("version 1.1.1 is installed", ["--install-service-name", "node-2"]);
  world.records("komari-agent-deno", { program: "/bin/false" });
  await world.refuses("/bin/false is installed, and does not run", []);
});

for (const shell of SHELLS) {
  test(`runs no file of the current folder in ${shell}`, async (world) => {
    const names = ["sh", "bash", "dash", "ash", "busybox", "@", "install.sh"];
    for (const name of names) {
      const path = `${world.folder}/work/${name}`;
      Deno.writeTextFileSync(path, `NAME=komari-agent-deno\n: >'${world.folder}/attacked'\n`);
    }
    for (const way of [{ isPiped: true }, ...names.map((commandName) => ({ commandName }))]) {
      await world.installs(["-t", "s3cret"], { shell, ...way });
      assertEquals(exists(`${world.folder}/attacked`), false);
    }
  }, shell);
}

test("shows no secret while it downloads, if nobody else can have changed the script", async (world) => {
  const script = `${world.folder}/install.sh`;
  const seen = `${world.folder}/seen`;
  const fakes = {
    curl: `tr "\\0" " " </proc/$PPID/cmdline >>'${seen}'; exec ${find("curl")} "$@"`,
  };
  Deno.copyFileSync(SCRIPT, script);
  const args = ["--portable", "-t", "s3cret", "--auto-discovery=k3y", "--gpu"];
  for (const [mode, owner] of [[0o644], [0o666], [0o664], [0o644, 12345]] as const) {
    if (owner !== undefined && Deno.uid() !== 0) continue;
    Deno.chmodSync(script, mode);
    if (owner !== undefined) Deno.chownSync(script, owner, owner);
    Deno.writeTextFileSync(seen, "");
    await world.installs(args, { script, fakes });
    const isOwn = mode === 0o644 && owner === undefined;
    const shown = Deno.readTextFileSync(seen);
    assertEquals([shown.includes("--gpu"), /s3cret|k3y/.test(shown)], [true, !isOwn], shown);
    world.gave("--gpu");
    assertEquals(world.given()?.env.match(/^AGENT_(?!ENDPOINT).*$/gm)?.length, 2);
  }
});

test("runs nothing in a folder where another user could put a file in its place", async (world) => {
  const tmp = `${world.folder}/tmp`;
  const fakes = {
    mktemp: `echo "$2" >>'${world.folder}/made'; case $2 in /var/*) exit 1 ;; esac; ` +
      `exec ${find("mktemp")} "$@"`,
  };
  const rows = [[0o700, true], [0o1777, true], [0o777, false], [0o700, false, 12345]] as const;
  for (const [mode, isUsed, owner] of rows) {
    if (owner !== undefined && Deno.uid() !== 0) continue;
    Deno.chmodSync(tmp, mode);
    if (owner !== undefined) Deno.chownSync(tmp, owner, owner);
    Deno.writeTextFileSync(`${world.folder}/made`, "");
    await world.installs(["--portable", "-t", "s3cret"], { fakes });
    const made = Deno.readTextFileSync(`${world.folder}/made`);
    assertEquals(made.startsWith(`${tmp}/`), isUsed, mode.toString(8));
  }
  // Another user's link could lead elsewhere later, and so could a folder of his that root's is in.
  const [own, above] = [`${world.folder}/own`, `${world.folder}/above`];
  for (const folder of [own, above, `${above}/own`]) Deno.mkdirSync(folder);
  Deno.chmodSync(above, 0o777);
  Deno.removeSync(tmp);
  for (const [target, isUsed] of [[own, true], [`${above}/own`, false]] as const) {
    Deno.symlinkSync(target, tmp);
    Deno.writeTextFileSync(`${world.folder}/made`, "");
    await world.installs(["--portable", "-t", "s3cret"], { fakes });
    const made = Deno.readTextFileSync(`${world.folder}/made`);
    assertEquals(made.startsWith(`${target}/`), isUsed, made);
    assertEquals(made.includes(`${tmp}/`), false, "by the link");
    Deno.removeSync(tmp);
  }
});

test("lets curl read no settings of another user's", async (world) => {
  const fakes = {
    curl: `echo "$HOME:$CURL_HOME$XDG_CONFIG_HOME" >>'${world.folder}/homes'; exit 1`,
  };
  const home = `${world.folder}/home`;
  const env = { HOME: home, CURL_HOME: home, XDG_CONFIG_HOME: home };
  Deno.mkdirSync(home, { recursive: true });
  for (const mode of [0o755, 0o777]) {
    Deno.chmodSync(home, mode);
    Deno.writeTextFileSync(`${world.folder}/homes`, "");
    await world.run([], { fakes, env });
    const [first] = Deno.readTextFileSync(`${world.folder}/homes`).split("\n");
    assertEquals(first, mode === 0o755 ? `${home}:${home}${home}` : "/:");
  }
});

test("takes another folder where no program can be started in the first", async (world) => {
  await using mount = await mountedInMemory(`${world.folder}/tmp`, "size=8m,noexec");
  if (mount === undefined) return;
  await world.installs([]);
  const exe = Deno.readTextFileSync(`${world.folder}/work/exe`);
  assert(exe.startsWith("/var/tmp/"), exe);
}, "mount");

test("reads the token from standard input", async (world) => {
  for (const words of [["--token-file", "-"], ["--token-file=/dev/stdin"]]) {
    for (const input of ["-s3cret\n", "-s3cret"]) {
      await world.installs([...words, "--gpu"], { input });
      world.gave("--gpu");
      assertStringIncludes(world.given()?.env ?? "", "AGENT_TOKEN=-s3cret\n");
    }
  }
  const words = ["--token-file", "-"];
  await world.refuses("Cannot read the token: there is none", words, { input: "" });
  await world.refuses("which this script comes from", words, { isPiped: true });
  await world.run(["--token-file", "/etc/token"]);
  world.gave("--token-file=/etc/token");
});

const ldd = (text: string) => ({ ldd: `printf '%s\\n' "${text}"` });
const arm = (system: string, machine: string) => ({ uname: uname(system, machine) });

/** Systems, and the build that is asked for, or what is said where nothing can be installed. */
const SYSTEMS: readonly [string, Record<string, string>, string][] = [
  ["musl", { ldd: 'echo "musl libc (x86_64)" >&2; exit 1' }, "apk add deno"],
  ["an old glibc", ldd("ldd (GNU libc) 2.17"), "glibc 2.17, as on CentOS 7"],
  ["that of Ubuntu", ldd("ldd (Ubuntu GLIBC 2.26-0ubuntu2) 2.26"), "need glibc 2.27 or newer"],
  ["an old glibc without ldd", { ldd: "", getconf: "echo glibc 2.17" }, "glibc 2.17"],
  ["another processor", arm("Linux", "armv7l"), "Cannot install on a armv7l processor"],
  ["another system", { uname: "echo FreeBSD" }, "Cannot install on FreeBSD"],
  ["32 bits", { getconf: "echo 32" }, "a 32-bit system"],
  ["the oldest glibc", ldd("ldd (Ubuntu GLIBC 2.27-3ubuntu1.6) 2.27"), BINARY],
  ["a glibc of three numbers", ldd("ldd (GNU libc) 2.35.9000"), BINARY],
  ["an unknown library", { ldd: "exit 1", getconf: "exit 1" }, BINARY],
  ["a Mac", arm("Darwin", "arm64"), "komari-agent-deno-darwin-arm64"],
  ["an ARM server", arm("Linux", "aarch64"), "komari-agent-deno-linux-arm64"],
];

test("asks for the right build, or says what to do and downloads nothing", async (world) => {
  for (const [system, fakes, words] of SYSTEMS) {
    world.asked.length = 0;
    if (words.startsWith("komari-agent-deno-")) {
      await world.run([], { fakes });
      assertEquals(world.asked[1], `${RELEASES}/${LATEST}/${words}`, system);
    } else {
      await world.refuses(words, [], { fakes });
      assertEquals(world.asked, [], system);
    }
  }
});

test("says what is missing, and has a help", async (world) => {
  const script = world.changed("", "");
  const env = { KOMARI_AGENT_REPOSITORY: "" };
  await world.refuses("KOMARI_AGENT_REPOSITORY=owner/name", [], { script, env });
  await world.refuses("Cannot use --token alone", ["--token"]);
  await world.refuses("there is neither curl nor wget", [], { downloader: "true" });
  await world.refuses("neither sha256sum nor shasum nor openssl", [], { hasher: "true" });
  assertStringIncludes(await world.installs(["--help"]), "--install-ghproxy PREFIX");
  const output = await world.installs(["--install-future", "--gpu"]);
  assertStringIncludes(output, "--install-future has no effect");
  world.gave("--gpu");
  Deno.writeTextFileSync(`${world.folder}/work/version`, "echo it lacks a library >&2; exit 127");
  await world.refuses("Cannot run the program here: it lacks a library", []);
});

const HELPERS = ["lib/sandbox/helper_shell.sh", "lib/sandbox/helper_shell_darwin.sh"];

for (const path of ["install.sh", ".ci/run", "build/smoke.sh", ...HELPERS]) {
  test(`and ${path} have nothing that ShellCheck finds`, async () => {
    const { code, stdout } = await new Deno.Command("shellcheck", { args: [pathOf(path)] })
      .output();
    assertEquals(code, 0, new TextDecoder().decode(stdout));
  }, "shellcheck");
}

test(
  "names a mirror where GitHub can't be reached, and asks whether a mirror is right",
  async (world) => {
    const failing = (error: string) => ({ fakes: { curl: `echo '${error}' >&2; exit 1` } });
    const hint = "name a mirror of it that you trust: --mirror https://…";
    const [lost, missing] = ["curl: (28) Connection timed out", "curl: (22) The error: 404"];
    const alone = ["--install-no-mirror"];
    await world.refuses(hint, alone, failing(lost));
    const output = await world.refuses("Cannot download", alone, failing(missing));
    assertEquals(output.includes(hint), false);

    const words = failing("curl: (22) a\u009b[31mb \u202ec");
    const control = await world.refuses("22) a[31mb c", [], words);
    assertEquals(/[^\n -~]/.test(control), false, "nothing that acts on a terminal");

    const question = "is the mirror right? without --mirror, GitHub itself is asked";
    const other = ["--mirror", "https://m.example"];
    for (const error of [lost, missing]) {
      await world.refuses(`: ${error}; ${question}`, other, failing(error));
    }
    const full = "No space left on device";
    for (const [line, words] of [["500 run", "the server answered 500"], [`200 ${full}`, full]]) {
      const by = { wget: `echo ' HTTP/1.1 ${line}'; exit 8` };
      await world.refuses(`: ${words}; ${question}`, other, { fakes: by, downloader: "wget" });
    }
    world.files.clear();
    for (const downloader of ["curl", "wget"]) {
      await world.refuses(question, [], { downloader });
      await world.refuses("；镜像地址对吗？不加 --mirror", [], { ...CHINESE, downloader });
    }
  },
  "wget",
);

const WITH_SED = { fakes: { sed: `exec ${find("sed")} "$@"` } };
const CHINESE = { ...WITH_SED, env: { LC_ALL: "zh_CN.UTF-8" } };

test("speaks Chinese where the machine does, or --lang says so", async (world) => {
  await world.refuses("不能单独使用 --mirror：后面必须有值", ["--mirror"], CHINESE);
  const words = ["--lang", "zh", "--mirror", world.mirror, "-t"];
  await world.refuses("不能单独使用 -t", words, WITH_SED);
  const english = { ...WITH_SED, env: { LANG: "zu_ZA.UTF-8" } };
  await world.refuses("Cannot use --mirror alone", ["--mirror"], english);
  assertStringIncludes(await world.installs(["--help"], CHINESE), "此脚本的选项：");
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
  const piped = { stdin: "piped", stdout: "piped" } as const;
  const child = new Deno.Command("sh", { args: ["-c", `${chinese}\nchinese`], ...piped }).spawn();
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

test("says before it downloads that no panel is given, or that it updates", async (world) => {
  const env = { AGENT_ENDPOINT: "" };
  await world.refuses("Cannot install: no panel is given; -e https://", [], { env });
  assertEquals(world.asked, []);
  for (const args of [["-e", "https://p.example"], ["-ehttps://p.example"], ["--config", "c"]]) {
    assertEquals((await world.run(args, { env })).code, 0, `${args}`);
  }
  await world.refuses("no panel is given", ["-t", "s3cret"], { env });
  world.records("komari-agent-deno", { pinned: "" });
  const output = await world.installs([], { env });
  assert(output.indexOf("is installed, so it is updated") < output.indexOf("Downloading"), output);
  assertStringIncludes(output, "keeps its panels and options");
});

test("says that updates go on from a version, and keeps a pinned one", async (world) => {
  await world.release("download/v1.2.3");
  const goOn = "Automatic updates go on from version 1.2.3 to newer ones; --pin keeps it";
  const named = await world.run(["--install-version", "1.2.3"]);
  assertStringIncludes(named.output, goOn);
  const pin = await world.run(["--install-version", "1.2.3", "--pin"]);
  assertEquals(pin.output.includes(goOn), false);
  assertEquals(world.given()?.args.includes("--pin"), true);
  assertEquals((await world.run([])).output.includes("updates go on"), false);

  world.records("node-2", { service: "node-2", pinned: "1.2.3", rootOptions: {} });
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
