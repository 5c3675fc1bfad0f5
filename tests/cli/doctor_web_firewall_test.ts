import { assertEquals } from "@std/assert";
import { isUnfiled, webFirewall } from "../../lib/cli/doctor_web_firewall.ts";

function firewallOf(status: number, text: string, headers: Record<string, string> = {}) {
  return webFirewall({ status, text, headers: new Map(Object.entries(headers)) });
}

Deno.test("webFirewall() knows pages of firewalls by their marks, and others by their words", () => {
  const page = (head: string, body = "") => `<html><head>${head}</head><body>${body}</body></html>`;
  const table: [status: number, text: string, name: string | undefined][] = [
    [468, page("<title>客户端安全检测</title>"), "SafeLine"],
    [403, page("", '<script src="/.safeline/challenge/v2/challenge.js"></script>'), "SafeLine"],
    [200, page("", "<script>document.cookie='safeline_bot_challenge_ans='</script>"), "SafeLine"],
    [
      403,
      page("<title>网站防火墙</title>", "您的请求带有不合法参数，已被网站管理员设置拦截！"),
      "宝塔 WAF",
    ],
    [200, page("", '<script src="/renji_296d626f_0cc1.js?id=1"></script>'), "宝塔 WAF"],
    [
      405,
      page("<title>405</title>", '<img src="https://errors.aliyun.com/x.png">'),
      "Alibaba Cloud WAF",
    ],
    [200, page("", "<script>var arg1='0AF';setCookie('acw_sc__v2')</script>"), "Alibaba Cloud WAF"],
    [501, page("", '<a href="https://waf.tencent-cloud.com/501page.html">'), "Tencent Cloud"],
    [567, "", "Tencent Cloud"],
    [
      200,
      page("<title>Making sure you&#39;re not a bot!</title>", '<a id="anubis_challenge">'),
      "Anubis",
    ],
    [403, page("<title>Checking your browser before accessing</title>"), undefined],
    [503, page("<title>Verify you are human</title>"), undefined],
    [200, page("<title>人机身份验证</title>"), undefined],
  ];
  for (const [status, text, name] of table) assertEquals(firewallOf(status, text), { name }, text);
  const challenge = page("<title>Security check</title>");
  assertEquals(firewallOf(403, challenge, { server: "ddos-guard" }), { name: "DDoS-Guard" });
  assertEquals(firewallOf(202, "", { "x-amzn-waf-action": "challenge" }), { name: "AWS WAF" });
});

Deno.test("webFirewall() takes no other server's answer for a firewall's, though it came through one", () => {
  const nginx = "<html><head><title>404 Not Found</title></head><center>nginx</center></html>";
  const through = { server: "ddos-guard", "set-cookie": "acw_tc=1; safeline_session=2" };
  for (const status of [200, 403, 404, 502]) {
    assertEquals(firewallOf(status, nginx, through), undefined, `${status}`);
  }
  assertEquals(firewallOf(200, "checking your browser"), undefined, "no page");
  assertEquals(firewallOf(401, '{"error":"security check failed"}'), undefined);
  const blog = `<html><title>All about SafeLine</title>${"words ".repeat(5_000)}</html>`;
  assertEquals(firewallOf(200, blog), undefined, "a page of its own");
});

Deno.test("isUnfiled() knows the pages of providers that serve no domain without a filing", () => {
  const of = (status: number, text: string, headers: Record<string, string> = {}) =>
    isUnfiled({ status, text, headers: new Map(Object.entries(headers)) });
  assertEquals(of(403, "<title>Non-compliance ICP Filing</title>"), true);
  assertEquals(of(403, "", { server: "Beaver" }), true);
  const location = "https://dnspod.qcloud.com/static/webblock.html?d=p.example";
  assertEquals(of(302, "", { location }), true);
  assertEquals(of(200, "<footer>京ICP备12345678号</footer>"), false, "it is filed");
  assertEquals(of(403, "<title>403 Forbidden</title>", { server: "nginx" }), false);
});
