import { assertEquals } from "@std/assert";
import {
  endpointPlace,
  given,
  originOf,
  proxyNames,
  reinstall,
  tokenPlace,
  withoutProxy,
} from "../../lib/doctor/options.ts";
import { parseSettings } from "../../lib/doctor/loaded_unit.ts";
import { configOf } from "../cli/fake_context.ts";

const CONFIG = configOf(["doctor", "-e", "https://panel.example"], { NO_PROXY: "a.example b" });
const url = new URL("https://panel.example");
const settings = parseSettings(
  "[Service]\nEnvironment=AGENT_ENDPOINT=https://x HTTPS_PROXY=http://y\n",
  "/own.conf",
);
const origin = (text: string) => new Map([["endpoint", text]]);
const installed = { ...CONFIG, isConfigInstalled: true, origins: origin("/etc/x/config.json") };
const ofUnit = { ...installed, origins: origin("variable AGENT_ENDPOINT") };
const INSTALL = "komari-agent-deno install";

Deno.test("options are given as this command, or as the installed service, gets them", () => {
  const shell = { config: CONFIG, settings: [], url };
  const service = { config: installed, settings: [], url };
  const unit = { config: ofUnit, settings, url };
  assertEquals(
    [shell, service, unit].map((of) => [
      endpointPlace(of),
      originOf(of, "endpoint"),
      given(of, "--endpoint URL"),
      given(of, "NO_PROXY=x"),
      proxyNames(of),
    ]),
    [
      ["-e", "flag --endpoint", "--endpoint URL", "NO_PROXY=x", "HTTPS_PROXY/ALL_PROXY"],
      [
        `-e (${INSTALL} -e URL)`,
        "/etc/x/config.json",
        `${INSTALL} --endpoint URL`,
        `NO_PROXY=x ${INSTALL}`,
        "HTTPS_PROXY/ALL_PROXY",
      ],
      [
        "AGENT_ENDPOINT in /own.conf",
        "AGENT_ENDPOINT in /own.conf",
        "change AGENT_ENDPOINT in /own.conf, and then: systemctl daemon-reload && systemctl restart komari-agent-deno",
        `NO_PROXY=x ${INSTALL}`,
        "HTTPS_PROXY (/own.conf)",
      ],
    ],
  );
  assertEquals(withoutProxy(shell), "NO_PROXY=a.example,b,panel.example");
});

Deno.test("the token of the installed service is changed by install, which restarts it", () => {
  const origins = new Map([["token", "key token of /etc/x/config.json"]]);
  const placeBy = (config: typeof CONFIG) => tokenPlace({ config, settings: [] });
  assertEquals(
    [{ ...installed, origins }, { ...CONFIG, origins }, { ...CONFIG, origins: new Map() }].map(
      placeBy,
    ),
    [
      `FILE, and run \`${INSTALL} --token-file FILE\``,
      "key token of /etc/x/config.json",
      "--token-file FILE",
    ],
  );
});

Deno.test("a service of another name is named in its commands", () => {
  assertEquals(reinstall({ serviceName: "x" }), `${INSTALL} --install-service-name x`);
});
