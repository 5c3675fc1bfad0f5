import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { readOfficialFlags } from "../../lib/service/official_options.ts";

Deno.test("readOfficialFlags() reads values as the official agent does", () => {
  const { values, unknown } = readOfficialFlags([
    ..."-e=https://x -t -dash -i1.5 --gpu --month-rotate=5 -u=false --include-nics a,b".split(" "),
    ..."--show-warning --custom-ipv4 192.0.2.1".split(" "),
  ]);
  assertEquals(Object.fromEntries(values), {
    endpoint: "https://x",
    token: "-dash",
    interval: "1.5",
    enable_gpu: "true",
    month_rotate: "5",
    ignore_unsafe_cert: "false",
    include_nics: "a,b",
    custom_ipv4: "192.0.2.1",
  });
  assertEquals(unknown, []);
});

Deno.test("readOfficialFlags() skips unknown flags with their values", () => {
  const { values, unknown } = readOfficialFlags(
    "--enable-remote-control --what secret --how=x -z y word - --gpu -- -t z".split(" "),
  );
  assertEquals(Object.fromEntries(values), { enable_gpu: "true" });
  assertEquals(unknown, ["--enable-remote-control", "--what", "--how", "-z"]);
});

Deno.test("readOfficialFlags() accepts any words", () => {
  const word = fc.oneof(fc.constantFrom("-t", "--gpu", "--", "-", "--=", "-=x"), fc.string());
  fc.assert(fc.property(fc.array(word), (words) => {
    readOfficialFlags(words);
  }));
});
