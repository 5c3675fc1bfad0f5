import { assertEquals, assertStringIncludes } from "@std/assert";
import { endpointPlace, given, withoutProxy } from "../../lib/cli/doctor_options.ts";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import type { Config } from "../../lib/config/config.ts";
import { configOf } from "./fake_context.ts";

Deno.test("given() changes what a variable of the unit sets there, where it wins", () => {
  const origins = new Map([["include_nics", "variable AGENT_INCLUDE_NICS"]]);
  const config = { ...configOf(["doctor"]), isConfigInstalled: true, origins };
  const unit = [{ name: "Environment", value: "AGENT_INCLUDE_NICS= AGENT_LANG=", file: "/x.conf" }];
  for (const option of ["--include-nics NAMES", "--unset include-nics"]) {
    const words = "change AGENT_INCLUDE_NICS in /x.conf, and then: systemctl daemon-reload";
    assertStringIncludes(given({ config, unit }, option), words);
    assertEquals(given({ config }, option), `komari-agent-deno install ${option}`);
  }
  assertStringIncludes(given({ config, unit }, "--lang zh"), "install --lang zh");
});

Deno.test("given() sets a variable of proxies in the unit's file that has it, which wins over an installation", () => {
  const configPath = "/etc/x/config.json";
  const config = { ...configOf(["doctor"]), isConfigInstalled: true, configPath };
  const file = "/etc/systemd/system/x.service.d/y.conf";
  const ofInstall = { name: "Environment", value: "NO_PROXY=", file: "/etc/x/environment" };
  const command = given({ config, unit: [ofInstall] }, "NO_PROXY=p.example");
  assertEquals(command, "NO_PROXY=p.example komari-agent-deno install");
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const unit = [{ name: "Environment", value: `${name}=`, file }];
    assertEquals(
      given({ config, unit }, "NO_PROXY=p.example"),
      `set ${name}=p.example in ${file}, and then: systemctl daemon-reload && systemctl restart ` +
        "komari-agent-deno",
    );
    const other = given({ config, unit }, "HTTP_PROXY=http://HOST:PORT");
    assertEquals(other, "HTTP_PROXY=http://HOST:PORT komari-agent-deno install");
  }
});

Deno.test("given() is the command by which an installed service gets an option", () => {
  const base = configOf(["doctor", "-e", "http://p.example", "-t", "x"], { NO_PROXY: "a, b" });
  const url = new URL(base.endpoint);
  const of = (more: Partial<Config>) => {
    const config = { ...base, ...more };
    return [given({ config }, "--custom-dns ADDRESS"), withoutProxy({ config, url })];
  };
  assertEquals(of({}), ["--custom-dns ADDRESS", "NO_PROXY=a,b,p.example"]);
  assertEquals(of({ isConfigInstalled: true, proxies: {} }), [
    "komari-agent-deno install --custom-dns ADDRESS",
    "NO_PROXY=p.example komari-agent-deno install",
  ]);
  assertEquals(
    of({ isConfigInstalled: true, serviceName: "two" })[0],
    [
      "komari-agent-deno install --install-service-name two --custom-dns ADDRESS",
    ][0],
  );
});

Deno.test("endpointPlace() is where the panel's address was read", () => {
  const file = "/etc/systemd/system/x.service.d/y.conf";
  const unit = [{ name: "Environment", value: "AGENT_ENDPOINT=", file }];
  const env = { AGENT_ENDPOINT: "http://p.example", AGENT_TOKEN: "x" };
  const flags = wayTo(configOf(["doctor", "-e", "http://p.example", "-t", "x"]), unit);
  assertEquals(endpointPlace(flags), "-e");
  assertEquals(endpointPlace(wayTo(configOf(["doctor"], env), [])), "variable AGENT_ENDPOINT");
  assertEquals(endpointPlace(wayTo(configOf(["doctor"], env), unit)), `AGENT_ENDPOINT in ${file}`);
  const installed = { ...configOf(["doctor"], env), isConfigInstalled: true };
  assertEquals(
    endpointPlace(wayTo(installed, unit)),
    `AGENT_ENDPOINT in ${file} (and then: systemctl daemon-reload && systemctl restart ` +
      "komari-agent-deno)",
  );
});
