import { assertStringIncludes } from "@std/assert";
import { propertyList } from "../../lib/service/launchd.ts";

Deno.test("propertyList() formats every type and escapes text", () => {
  const list = propertyList({
    "a<b": "c & d > e",
    Count: 6,
    On: true,
    Words: ["one", "<two>"],
    Variables: { HOME: "/x" },
  });
  const text = list.replace(/\n\s*/g, "");
  for (
    const part of [
      "<dict><key>a&lt;b</key><string>c &amp; d &gt; e</string>",
      "<key>Count</key><integer>6</integer><key>On</key><true/>",
      "<array><string>one</string><string>&lt;two&gt;</string></array>",
      "<key>Variables</key><dict><key>HOME</key><string>/x</string></dict></dict></plist>",
    ]
  ) assertStringIncludes(text, part);
});
