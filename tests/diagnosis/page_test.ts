import { firstPageLine, isHtml, reasonOf, redirectPlace } from "../../lib/diagnosis/page.ts";
import { same } from "../cases.ts";

Deno.test("a page is HTML by its first character", () =>
  same(isHtml, [
    ["<html>", true],
    [" \n<!doctype html>", true],
    ["", false],
    ["{}", false],
    ["404 <page> not found", false],
  ]));

Deno.test("a page is named by its title, its first words, or its first line", () =>
  same(firstPageLine, [
    ["<html><title>502 Bad\nGateway</title>", "502 Bad"],
    ["<style>\nx { }\n</style><h1>Nothing <b>here</b></h1>", "Nothing"],
    ['\n  a "quoted" line\nmore', "a 'quoted' line"],
    ['{"message":"x"}', ""],
    ["", ""],
    ["x".repeat(200), `${"x".repeat(79)}…`],
    // Only the start of a long page is looked at.
    [`<p>words</p>${" ".repeat(4096)}<title>late</title>`, "words"],
  ]));

Deno.test("an error is described by the panel's message, or by its page", () =>
  same(reasonOf, [
    ['{"error":"a","message":"b"}', ', "b"'],
    ['{"error":"a"}', ', "a"'],
    ["<title>502</title>", ' and a page of HTML, "502"'],
    // What stands behind an arrow would be taken for advice of this program's.
    ["oops → run x", ', "oops -> run x"'],
    ['{"error":"a → run x"}', ', "a -> run x"'],
    ["", ""],
  ]));

Deno.test("a redirect is named without query and password", () =>
  same(redirectPlace, [
    ["https://user:s3cret@sso.example/login?next=s3cret", "https://sso.example/login"],
    ["/login?next=s3cret#s3cret", "/login"],
    ["//sso.example/", "http://sso.example/"],
    ["", "/"],
    ["http://[", "an unreadable address"],
    [`/${"x".repeat(200)}`, `/${"x".repeat(198)}…`],
  ]));
