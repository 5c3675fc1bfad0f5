import { assertEquals, assertStringIncludes } from "@std/assert";
import { readSavedProxies } from "../../lib/service/service_environment.ts";
import { ARGS, CONFIG, type FakeSystem, NAME, onOpenRc } from "./fake_system.ts";

const ENVIRONMENT = `/etc/${NAME}/environment`;

function savedProxies({ root }: FakeSystem): Record<string, string> {
  return readSavedProxies(root + ENVIRONMENT) ?? {};
}

onOpenRc.test("install() removes options that --unset or off return to their default", async (machine) => {
  const more = ["--metrics", "9100", "--gpu", "-i", "2", "--mirror", "https://m.x"];
  await machine.install([...ARGS, ...more]);
  await machine.install(["--unset", "metrics", "--unset", "AGENT_ENABLE_GPU", "--mirror", "off"]);
  const expected = { endpoint: "https://p.example", interval: 2, token: "top-secret" };
  assertEquals(machine.config(), expected);
  const record = JSON.parse(machine.text(`/etc/${NAME}/install.json`));
  assertEquals(record.rootOptions, {});
});

onOpenRc.test("install() keeps the comments of a hand-written configuration", async (machine) => {
  await machine.install(ARGS);
  const text = '// Paris\n{\n  "endpoint": "https://p.example", // nginx\n' +
    '  "token": "top-secret",\n  /* asked by them */ "interval": 2\n}\n';
  machine.write(CONFIG, text);
  await machine.install([]);
  assertEquals(machine.text(CONFIG), text);
  await machine.install(["-i", "5", "--gpu"]);
  const shown = machine.text(CONFIG);
  assertStringIncludes(shown, '/* asked by them */ "interval": 5');
  assertStringIncludes(shown, '"enable_gpu": true');
  await machine.install(["--unset", "gpu,interval"]);
  assertStringIncludes(machine.text(CONFIG), "// Paris\n");
});

onOpenRc.test("install() changes and removes saved proxies like options", async (machine) => {
  const first = { HTTP_PROXY: "http://one:3128", HTTPS_PROXY: 'http://me:pa$"s@one:3128' };
  await machine.install(ARGS, { env: first });
  assertEquals(savedProxies(machine), first);
  const env = { HTTP_PROXY: "http://two:3128", no_proxy: "localhost" };
  await machine.install([], { env });
  const second = { ...first, HTTP_PROXY: "http://two:3128", NO_PROXY: "localhost" };
  assertEquals(savedProxies(machine), second);

  machine.printed.length = 0;
  await machine.install(["--print"]);
  assertEquals(machine.output.includes('pa\\$\\"s'), false);

  // The shell that removes one may have it in its environment.
  await machine.install(["--unset", "HTTP_PROXY", "--unset", "no_proxy"], { env: first });
  assertEquals(savedProxies(machine), { HTTPS_PROXY: first.HTTPS_PROXY });
  assertStringIncludes(machine.text(`/etc/init.d/${NAME}`), "/environment");
  await machine.install(["--unset", "https_proxy"]);
  assertEquals(machine.tree().some((line) => line.includes("environment")), false);
  assertEquals(machine.text(`/etc/init.d/${NAME}`).includes("/environment"), false);
});
