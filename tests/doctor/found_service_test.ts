import { assertEquals } from "@std/assert";
import { serviceVariables, unreadVariable } from "../../lib/doctor/found_service.ts";
import type { LoadedUnit } from "../../lib/doctor/loaded_unit.ts";
import { TempFolder } from "../temp_folder.ts";

Deno.test("serviceVariables() takes those of systemd, and of the process its proxies alone", async () => {
  using folder = new TempFolder();
  const [first, second] = ["first", "second"].map((name) => `${folder.path}/${name}`);
  await Deno.writeTextFile(`${first}`, "GONE=1\n");
  const text =
    "AGENT_INTERVAL=5\nHTTPS_PROXY=http://file:1\nAGENT_CA_CERT=/c\nAGENT_IGNORE_UNSAFE_CERT=1\n";
  await Deno.writeTextFile(`${second}`, text);
  const values = ["", first, "", `-${second}`, "/dev/zero"];
  const env = { AGENT_TOKEN_FILE: "/etc/shadow", HTTPS_PROXY: "http://process:2" };
  await using process = new Deno.Command("/bin/sleep", { args: ["60"], env }).spawn();
  const loaded = { MainPID: `${process.pid}`, Environment: 'AGENT_TOKEN_FILE=/a "B=c \\$d"' };
  const shown = new Map(Object.entries(loaded));
  const unit = (pid = loaded.MainPID): LoadedUnit => ({
    name: "",
    property: (name) => name === "MainPID" ? pid : shown.get(name) ?? "",
    settings: [],
  });
  const settings = values.map((value = "") => ({ name: "EnvironmentFile", value, file: "" }));
  const found = (pid?: string) => ({ unit: unit(pid), settings, record: undefined });
  const of = (pid?: string) => serviceVariables(found(pid));
  const own = {
    AGENT_TOKEN_FILE: "/a",
    B: "c $d",
    AGENT_INTERVAL: "5",
    AGENT_CA_CERT: "/c",
    AGENT_IGNORE_UNSAFE_CERT: "1",
  };
  assertEquals(of(), { ...own, HTTPS_PROXY: "http://process:2" });
  // One that this user may not see, and a file that another user can change.
  assertEquals(of("999999999"), { ...own, HTTPS_PROXY: "http://file:1" });
  assertEquals(unreadVariable(found()), undefined);
  await Deno.chmod(`${second}`, 0o666);
  const { AGENT_CA_CERT: _, ...rest } = own;
  assertEquals(of("999999999"), { ...rest, HTTPS_PROXY: "http://file:1" });
  const expected = `AGENT_CA_CERT of ${second} is not read: other users can change that file`;
  assertEquals(unreadVariable(found()), expected);
});
