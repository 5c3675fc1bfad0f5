import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  compiledVersion,
  findNfpm,
  makePackages,
  NFPM_VERSION,
  nfpmConfig,
  pack,
  packageFiles,
  packageName,
  type PackageSource,
} from "../../build/package.ts";
import { parseConfigObject } from "../../lib/config/config_file.ts";
import { PACKAGE_KINDS } from "../../lib/host/this_program.ts";
import { PACKAGE_CONDITION, PACKAGE_ORIGIN } from "../../lib/service/packaged_service.ts";
import { ORIGIN } from "../../lib/service/service_manager.ts";
import { systemdUnit } from "../../lib/service/systemd.ts";
import { SYSTEM_PLAN } from "../service/service_plans.ts";
import { exists } from "../exists.ts";
import { TempFolder } from "../temp_folder.ts";
import { onlyIf } from "../only_on.ts";

const NAME = "komari-agent-deno";
const ROOT = new URL("../../", import.meta.url);
const SOURCE: PackageSource = {
  info: { version: "1.2.3", commit: "", repository: "owner/name", releaseKey: "" },
  arch: "amd64",
  form: "binary",
  program: "/dist/program",
  timestamp: 1_700_000_000,
};

function textOf(path: string, form: PackageSource["form"] = "binary"): string {
  const file = packageFiles({ ...SOURCE, form }).find((it) => it.path === path);
  return typeof file?.content === "string" ? file.content : "";
}

Deno.test("packageFiles() has the unit that install writes, for the program in /usr/bin", () => {
  const plan = {
    ...SYSTEM_PLAN,
    program: `/usr/bin/${NAME}`,
    environmentFile: `/etc/${NAME}/environment`,
  };
  const expected = systemdUnit(plan, { condition: PACKAGE_CONDITION })
    .replace(ORIGIN, PACKAGE_ORIGIN);
  assertEquals(textOf(`/usr/lib/systemd/system/${NAME}.service`), expected);
  assertStringIncludes(
    textOf(`/usr/lib/systemd/system/${NAME}.service`, "portable"),
    `Environment=DENO=deno\nEnvironment=DENO_DIR=/var/lib/${NAME}/deno\n`,
  );
});

Deno.test("packageFiles() gives each kind a path only once, and names the kind in the marker", () => {
  for (const kind of PACKAGE_KINDS) {
    const files = packageFiles(SOURCE).filter((file) => (file.kind ?? kind) === kind);
    const paths = files.map(({ path }) => path);
    assertEquals(new Set(paths).size, paths.length);
    const marker = files.find(({ path }) => path === `/usr/lib/${NAME}/package`);
    assertEquals(marker?.content, `${kind}\n`);
    for (const wanted of ["bash-completion", "fish/", "zsh/", "/man/man1/", "CHANGELOG"]) {
      assert(paths.some((path) => path.includes(wanted)), `${kind}: ${wanted}`);
    }
    assert(
      files.some(({ content }) => typeof content === "string" && content.includes("MIT License")),
    );
  }
});

Deno.test("nfpmConfig() keeps the configuration on upgrade, and from other users", () => {
  const files = packageFiles(SOURCE);
  const config = nfpmConfig(SOURCE, { files, folder: "/staging" });
  const text = JSON.stringify(config);
  assertStringIncludes(
    text,
    `"dst":"/etc/${NAME}/config.json","type":"config|noreplace","file_info":{"mode":${0o640},`,
  );
  assertStringIncludes(
    text,
    `{"src":"/dist/program","dst":"/usr/bin/${NAME}","file_info":{"mode":${0o755},`,
  );
  assertEquals(text.match(/config\|noreplace/g)?.length, 1);
  assertEquals(text.includes("depends"), false);
  for (const [path = ""] of text.matchAll(/\/[^"]*build\/package\/\w+\.sh/g)) Deno.statSync(path);
});

Deno.test("packageFiles() has a configuration that the agent reads", () => {
  assertEquals(parseConfigObject(textOf(`/etc/${NAME}/config.json`), "it"), {});
});

Deno.test("packageName() is what apt and dnf call such a file", () => {
  assertEquals(packageName(SOURCE, "deb"), `${NAME}_1.2.3_amd64.deb`);
  assertEquals(packageName({ ...SOURCE, arch: "arm64" }, "rpm"), `${NAME}-1.2.3.aarch64.rpm`);
});

Deno.test("compiledVersion() is that of the programs in dist, and an error without any", async () => {
  using dist = new TempFolder();
  const compileFirst = "run `deno task compile` first";
  await assertRejects(() => compiledVersion(dist.path), Error, compileFirst);
  await Deno.writeTextFile(`${dist.path}/SHA256SUMS`, `${"0".repeat(64)}  install.sh\n`);
  await assertRejects(() => compiledVersion(dist.path), Error, compileFirst);
  await Deno.writeTextFile(`${dist.path}/SHA256SUMS`, "#version=4.5.6-rc.1\n");
  assertEquals(await compiledVersion(dist.path), "4.5.6-rc.1");
});

Deno.test("makePackages() says how to get nfpm where there is none", async () => {
  await assertRejects(
    () => makePackages(SOURCE.info, { dist: "/nowhere", env: { NFPM: "/nowhere/nfpm" } }),
    Error,
    `go install github.com/goreleaser/nfpm/v2/cmd/nfpm@${NFPM_VERSION}`,
  );
});

Deno.test("the release and CI install the nfpm that the build names", () => {
  for (const path of [".github/workflows/release.yml", ".ci/run"]) {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    const [, version] = /nfpm\/v2\/cmd\/nfpm@(v[\d.]+)/.exec(text) ?? [];
    assertEquals(version, NFPM_VERSION, path);
  }
});

const checker = ["/usr/bin/shellcheck", "/usr/local/bin/shellcheck"].find(exists);
const withShellCheck = onlyIf(checker !== undefined);

withShellCheck.test(`the scripts of packages have nothing that ShellCheck finds${checker ? "" : ", not here"}`, async () => {
  const folder = new URL("build/package/", ROOT);
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
  assertEquals(names.length, 4);
  const paths = names.map((name) => new URL(name, folder).pathname);
  for (const path of paths) assertMatch(Deno.readTextFileSync(path), /^#!\/bin\/sh\n/);
  const { stdout } = await new Deno.Command(checker ?? "", { args: paths }).output();
  assertEquals(new TextDecoder().decode(stdout), "");
});

const nfpm = await findNfpm(Deno.env.toObject());
if (nfpm === undefined) {
  console.log("no package is packed: nfpm is neither on the path nor in $NFPM");
}

const withTools = onlyIf(nfpm !== undefined && !isMissing("dpkg-deb"));

withTools.test("pack() lets a preview precede the version that it leads to", async () => {
  using folder = new TempFolder();
  const program = `${folder.path}/program`;
  await Deno.writeTextFile(program, "#!/bin/sh\n");
  const info = { ...SOURCE.info, version: "1.2.3-rc.1" };
  const path = await pack({ ...SOURCE, info, program }, {
    kind: "deb",
    nfpm: nfpm ?? "",
    dist: folder.path,
  });
  const { stdout } = await new Deno.Command("dpkg-deb", { args: ["-f", path, "Version"] })
    .output();
  assertEquals(new TextDecoder().decode(stdout), "1.2.3~rc.1\n");
});

function isMissing(tool: string): boolean {
  try {
    return !new Deno.Command(tool, { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return true;
  }
}

const withNfpm = onlyIf(nfpm !== undefined);

withNfpm.test("pack() makes the same bytes twice", async () => {
  using folder = new TempFolder();
  const program = `${folder.path}/program`;
  await Deno.writeTextFile(program, "#!/bin/sh\n");
  for (const kind of PACKAGE_KINDS) {
    const packed = [];
    for (const dist of [`${folder.path}/one`, `${folder.path}/two`]) {
      await Deno.mkdir(dist, { recursive: true });
      const source = { ...SOURCE, program };
      packed.push(await Deno.readFile(await pack(source, { kind, nfpm: nfpm ?? "", dist })));
    }
    assertEquals(packed[0], packed[1]);
    assert((packed[0]?.length ?? 0) > 10_000);
  }
});
