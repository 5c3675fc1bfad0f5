import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { install } from "../../lib/service/install.ts";
import { uninstall } from "../../lib/service/uninstall.ts";
import { configOf, PaperSite, USERS } from "./fake_system.ts";

const { signal } = new AbortController();
const NAME = "komari-agent-deno";
const UPDATE = `${NAME}-update`;
const ARGS = ["install", "-e", "https://p.example", "-t", "top-secret"];
/** What a build of the sources does not know by itself. */
const RELEASES = ["--update-url", "https://u.example"];
const PROXY = { HTTPS_PROXY: "http://proxy:3128" };

function openrc(): PaperSite {
  return new PaperSite({
    folders: ["run/openrc", "etc/init.d", "var/log"],
    fakes: { ...USERS, "rc-update": "", "rc-service": "", tail: "", chown: "" },
  });
}

function mac(): PaperSite {
  return new PaperSite({
    folders: ["Library/LaunchDaemons", "var/log"],
    fakes: { id: `echo ${Deno.uid()}`, launchctl: "", tail: "" },
    site: { os: "darwin", sudoUser: "ann" },
  });
}

/** Installs with so many words more, and gives what was run for updates. */
async function installed(
  { site, root, calls }: Pick<PaperSite, "site" | "root" | "calls">,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<string[]> {
  const patience = { limitMs: 0, beatMs: 1 };
  await install(configOf(words, { root, env }), site, { signal, patience });
  return calls().filter((line) => line.includes(UPDATE));
}

function called(paper: PaperSite): Pick<PaperSite, "site" | "root" | "calls"> {
  return { site: paper.site, root: paper.root, calls: () => paper.calls() };
}

Deno.test("planService() has a service of root's renew what OpenRC's agent may not write", async () => {
  await using paper = openrc();
  const before = paper.tree();
  const script = `/etc/init.d/${UPDATE}`;
  assertEquals(await installed(called(paper), [...ARGS, ...RELEASES], PROXY), [
    `rc-update add ${UPDATE} default`,
    `rc-service ${UPDATE} restart`,
  ]);
  const text = paper.text(script);
  assertStringIncludes(text, "--update-url");
  assertStringIncludes(text, `. '/etc/${NAME}/environment'`);
  assert(!text.includes("command_user"), "it is root's");
  assertStringIncludes(paper.text(`/etc/init.d/${NAME}`), "AGENT_DISABLE_AUTO_UPDATE='true'");
  assertStringIncludes(paper.said.join("\n"), `every 6 h, by ${UPDATE}`);

  await uninstall(paper.site, { serviceName: NAME, print: false, signal });
  const last = paper.calls();
  assertEquals(last.slice(0, 3), [
    `rc-service ${UPDATE} stop`,
    `rc-update del ${UPDATE} default`,
    `rc-service ${NAME} stop`,
  ]);
  assertEquals(paper.tree(), before);
});

Deno.test("planService() goes on with updates from where root was told, whoever owns the configuration", async () => {
  await using paper = openrc();
  const patience = { limitMs: 0, beatMs: 1 };
  for (const words of [[...ARGS, ...RELEASES], ["install"]]) {
    const config = configOf(words, { root: paper.root, isOwn: () => false });
    await install(config, paper.site, { signal, patience });
    assertStringIncludes(paper.text(`/etc/init.d/${UPDATE}`), "https://u.example");
  }
});

Deno.test("planService() takes that service away when it is not wanted any more", async () => {
  await using paper = openrc();
  await installed(called(paper), [...ARGS, ...RELEASES]);
  assertEquals(await installed(called(paper), ["install", "--disable-auto-update"]), [
    `rc-service ${UPDATE} stop`,
    `rc-update del ${UPDATE} default`,
  ]);
  assert(!paper.tree().some((line) => line.includes(UPDATE)));
  assertEquals(await installed(called(paper), ["install"]), [], "nothing is left to be ended");
});

Deno.test("planService() has that service renew an agent of root's as well", async () => {
  await using paper = openrc();
  assertEquals(await installed(called(paper), [...ARGS, ...RELEASES, "--as-root"]), [
    `rc-update add ${UPDATE} default`,
    `rc-service ${UPDATE} restart`,
  ]);
});

Deno.test("planService() stops updates while the record tells of them, however it is cut off", async () => {
  await using paper = openrc();
  await installed(called(paper), [...ARGS, ...RELEASES]);
  const { tools } = paper.site;
  const site = {
    ...paper.site,
    tools: {
      has: (tool: string) => tools.has(tool),
      run(...[command, options]: Parameters<typeof tools.run>) {
        if (command.args.includes("del")) return Promise.reject(new Error("killed"));
        return tools.run(command, options);
      },
    },
  };
  const config = configOf(["install", "--disable-auto-update"], { root: paper.root });
  await install(config, site, { signal }).catch(() => {});
  paper.calls();
  await uninstall(paper.site, { serviceName: NAME, print: false, signal });
  assertStringIncludes(paper.calls().join("\n"), `rc-service ${UPDATE} stop`);
  assert(!paper.tree().some((line) => line.includes(UPDATE)));
});

Deno.test("planService() lets root on a Mac read no proxies that the service's user may write", async () => {
  await using paper = mac();
  const before = paper.tree();
  const plist = `/Library/LaunchDaemons/${UPDATE}.plist`;
  assertEquals(await installed(called(paper), [...ARGS, ...RELEASES], PROXY), [
    `launchctl enable system/${UPDATE}`,
    `launchctl bootout system/${UPDATE}`,
    `launchctl bootstrap system ${plist}`,
  ]);
  const text = paper.text(plist);
  assertStringIncludes(text, `<string>/etc/${NAME}/update-environment</string>`);
  assert(!text.includes(`/etc/${NAME}/environment<`));
  const proxies = paper.text(`/etc/${NAME}/update-environment`);
  assertEquals(proxies, paper.text(`/etc/${NAME}/environment`));
  // Proxies stay when nothing is said of them.
  await installed(called(paper), ["install"]);
  assertEquals(paper.text(`/etc/${NAME}/update-environment`), proxies);
  await uninstall(paper.site, { serviceName: NAME, print: false, signal });
  assertEquals(paper.tree(), before);
});

Deno.test("planService() lets root on a Mac run no Deno that the service's user may own", async () => {
  await using paper = mac();
  const { path } = paper.site.program;
  const program = { form: "portable", path } as const;
  const site = { ...paper.site, program, denoPath: "/bin/sh" };
  const words = [...ARGS, ...RELEASES];
  assertEquals(await installed({ ...called(paper), site }, words), []);
  assertStringIncludes(paper.said.join("\n"), "by `update --now` as root");
});

Deno.test("planService() has procd run that service by its script", async () => {
  await using paper = new PaperSite({ folders: ["etc/init.d"], fakes: { ...USERS, logread: "" } });
  paper.write("/etc/openwrt_release", "");
  const calls: string[] = [];
  const { tools } = paper.site;
  const site = {
    ...paper.site,
    tools: {
      has: (tool: string) => tools.has(tool),
      run(...[command, options]: Parameters<typeof tools.run>) {
        if (!command.tool.startsWith("/etc/init.d/")) return tools.run(command, options);
        calls.push(`${command.tool} ${command.args.join(" ")}`);
        return Promise.resolve({ code: 0, output: "" });
      },
    },
  };
  const before = paper.tree();
  await installed({ ...called(paper), site }, [...ARGS, ...RELEASES]);
  const script = `/etc/init.d/${UPDATE}`;
  assertStringIncludes(paper.text(script), "USE_PROCD=1");
  const ofUpdates = () => calls.filter((line) => line.startsWith(script));
  assertEquals(ofUpdates(), [`${script} enable`, `${script} restart`]);
  await uninstall(site, { serviceName: NAME, print: false, signal });
  assertEquals(ofUpdates().slice(2), [`${script} stop`, `${script} disable`]);
  assertEquals(paper.tree(), before);
});
