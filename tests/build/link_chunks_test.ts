import { assertEquals } from "@std/assert";
import { linkChunks } from "../../build/link_chunks.ts";

/** Chunks as the bundler writes them, by name; the last three are imported later. */
const CHUNKS = new Map(
  `
main: import{a as n}from"./base";import{b}from"./upper";import"./effect";seen.push(n("main"),b());globalThis.load=()=>import("./later");
base: seen.push("base");function e(x){return"<"+x+">"}var s=7;export{e as a,s};
effect: import"./base";seen.push("effect");
upper: import{a as e,s}from"./base";var u=()=>e(s);export{u as b};
later: import{a as e}from"./base";import{x as o}from"./shared";var{posix:r}=await import("node:path");seen.push("later");var q=()=>import("./again"),w=e(o+r.sep);export{w as value,q as more};
shared: seen.push("shared");var x="\\n\\"s\\"";export{x};
again: import{x}from"./shared";var k=x.length,isStrict=(function(){return this===void 0})();export{k as length,isStrict};
`.trim().split("\n").map((line) => [line.split(": ", 1)[0], line.replace(/^\w+: /, "")]),
);

Deno.test("linkChunks() runs each chunk once, in the order of imports, and the later ones when they are asked for", async () => {
  const seen: string[] = [];
  const scope = Object.assign(globalThis, { seen, load: () => Promise.resolve(Object()) });
  const code = linkChunks((name) => CHUNKS.get(name) ?? "", "main");
  await import(`data:text/javascript,${encodeURIComponent(code)}`);
  const [later, same] = await Promise.all([scope.load(), scope.load()]);
  assertEquals([await later.more(), later === same], [{ length: 4, isStrict: true }, true]);
  assertEquals([later.value, seen.join()], ['<\n"s"/>', "base,effect,<main>,<7>,shared,later"]);
});
