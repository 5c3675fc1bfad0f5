import { assertEquals } from "@std/assert";
import { environmentText } from "../../lib/service/service_environment.ts";

const ODD = `http://me:p"a$$w\`o\\r'd%20@proxy:3128/ #x`;

Deno.test("environmentText() is read by a shell as it was meant", () => {
  const text = environmentText({ HTTP_PROXY: ODD, NO_PROXY: "a,b" });
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", `${text}\nprintf '%s|%s' "$HTTP_PROXY" "$NO_PROXY"`],
  }).outputSync();
  assertEquals(new TextDecoder().decode(stdout), `${ODD}|a,b`);
});

Deno.test("environmentText() escapes only what systemd takes an escape of", () => {
  const text = environmentText({ HTTP_PROXY: ODD });
  assertEquals(
    text.split("\n")[1],
    'HTTP_PROXY="http://me:p\\"a\\$\\$w\\`o\\\\r\'d%20@proxy:3128/ #x"',
  );
});
