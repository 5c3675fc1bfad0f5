import { assertEquals } from "@std/assert";
import type { OwnStage, Seen, SeenWay, Stage } from "../../lib/diagnosis/cause.ts";
import {
  diagnoseFailure,
  diagnoseOwn,
  diagnosisLine,
  placesOf,
  shapeOf,
} from "../../lib/diagnosis/diagnose.ts";
import { readCauses } from "../../lib/diagnosis/table.ts";
import { translate } from "../../lib/cli/translate.ts";
import { parseProxy } from "../../lib/parse/proxy.ts";
import { cases, same } from "../cases.ts";
import { brokenRules, leftEnglish } from "../cli/chinese_style.ts";

/**
 * The diagnosis of a failure: its stage, then settings such as `url=https://panel.example` or a header
 * (`server=nginx`), then the error; of an answer the status and the text.
 */
function diagnose(line: string) {
  const [, stage = "", set = "", rest = ""] = /^(\S+)((?: [\w-]+=\S+)*) ?(.*)$/.exec(line) ?? [];
  const own: readonly OwnStage[] = ["ping", "terminal", "state"];
  if (own.some((it) => it === stage)) return diagnoseOwn(stage as OwnStage, rest);
  const settings = new Map(
    set.split(" ").slice(1).map((it) => it.split(/=(.*)/) as [string, string]),
  );
  const take = (name: string) => {
    const value = settings.get(name);
    settings.delete(name);
    return value;
  };
  const url = new URL(take("url") ?? "https://panel.example");
  const proxy = take("proxy");
  const way: SeenWay = {
    ...{ url, proxy: proxy === undefined ? undefined : parseProxy(proxy) },
    token: shapeOf(take("token") ?? "0123456789abcdefghijkl"),
    sends: take("sends")?.split(",") ?? [],
    places: placesOf(new Map(take("ca") === undefined ? [] : [["ca_cert", "flag --ca-cert"]]), url),
  };
  const [count = 0, shortestMs = 0, longestMs = 0] = take("open")?.split(",").map(Number) ?? [];
  const wasAccepted = take("accepted") !== undefined;
  const isPull = take("pull") !== undefined;
  const [, status, text = ""] = /^(\d{3})(?: (.*))?$/.exec(rest) ?? [];
  const answer = status === undefined
    ? undefined
    : { status: Number(status), text, headers: settings };
  const seen: Seen = {
    ...{ stage: stage as Stage, error: rest, answer, wasAccepted, isPull },
    shortLived: { count, shortestMs, longestMs },
  };
  return diagnoseFailure(seen, way);
}

/** All causes: below each failure the name of its row, the reason and what to do. */
const FAILURES = cases(`
lookup Cannot resolve panel.example: the configured name server 192.0.2.9 port 53 does not answer
→ configured name server: no address for panel.example: the configured name server 192.0.2.9 port 53 does not answer ⇒ correct --custom-dns ADDRESS, or leave it out
lookup Cannot resolve panel.example: the name server 192.0.2.53 does not answer (connection refused)
→ name server: no address for panel.example: the name server 192.0.2.53 does not answer (connection refused) ⇒ check the network (ip route) and the name server (cat /etc/resolv.conf)
lookup Cannot resolve panel.example: the name server 192.0.2.53 does not answer (connection refused), or has no address that this machine can use
→ name or name server: no address for panel.example: the name server 192.0.2.53 does not answer (connection refused), or has no address that this machine can use ⇒ see which: ping -c 1 panel.example; at "Temporary failure" start that name server, or name another in /etc/resolv.conf; else correct the name in -e
lookup Cannot resolve panel.example: no answer within 8 s
→ name server: no address for panel.example: the name server does not answer (no answer within 8 s) ⇒ check the network (ip route) and the name server (cat /etc/resolv.conf)
lookup Cannot resolve panel.example: /etc/resolv.conf names no name server
→ no name server: no address for panel.example: /etc/resolv.conf names no name server ⇒ start what writes that file, or write it: rm -f /etc/resolv.conf; echo nameserver 1.1.1.1 >/etc/resolv.conf
lookup Cannot resolve panel.example: no address that this machine can use
→ no usable address: no address for panel.example that this machine can use ⇒ correct the name in -e if it is wrong; else add a DNS record for it (A, if this machine has no IPv6)
lookup Cannot resolve panel.example: no such name
→ name: no such name: panel.example ⇒ correct the name in -e, or add a DNS record for it
lookup proxy=http://proxy.example:3128 Cannot resolve the proxy proxy.example: no such name
→ name: no such name: proxy.example ⇒ correct the name in HTTPS_PROXY/ALL_PROXY, or add a DNS record for it
lookup Cannot resolve panel.example: too many lookups hang
→ lookup: no address for panel.example: too many lookups hang ⇒ see what the system finds: getent ahosts panel.example
connect proxy=http://10.0.0.1:3128 Cannot connect to the proxy 10.0.0.1 port 3128: connection refused
→ dead proxy: no connection to the proxy 10.0.0.1 port 3128: connection refused ⇒ start the proxy, or correct HTTPS_PROXY/ALL_PROXY; without it: NO_PROXY=panel.example
connect Cannot connect to panel.example port 443 (198.18.0.5): no answer within 10 s
→ fake address: no connection to panel.example port 443 (198.18.0.5): no answer within 10 s ⇒ 198.18.0.5 is a fake IP of a proxy's DNS (Clash, sing-box): start that proxy, or have it leave panel.example out (fake-ip-filter)
connect url=http://panel.example:25774 Cannot connect to panel.example port 25774 (104.21.5.5 and 3 more): no answer within 10 s
→ port of Cloudflare: no connection to panel.example port 25774 (104.21.5.5 and 3 more): no answer within 10 s ⇒ 104.21.5.5 is Cloudflare's, which does not forward port 25774: use 443 or 8443 there (80 or 8080 without TLS), or a name of "DNS only"
connect url=https://panel.example:8443 Cannot connect to panel.example port 8443 (104.21.5.5): connection refused
→ refused: no connection to panel.example port 8443 (104.21.5.5): connection refused ⇒ start the panel if it is down (ss -ltn); else correct -e or a firewall
connect Cannot connect to panel.example port 443 (0.0.0.0): connection refused
→ blocked name: no connection to panel.example port 443 (0.0.0.0): connection refused ⇒ a filter answers 0.0.0.0 for panel.example: take the name out of it, or out of /etc/hosts (grep panel.example /etc/hosts)
connect Cannot connect to panel.example port 443 (127.0.0.1): connection refused
→ not on this machine: no connection to panel.example port 443 (127.0.0.1): connection refused ⇒ start the panel, if it is on this machine (ss -ltn); else correct -e (in a container, 127.0.0.1 is the container itself)
connect url=http://panel.example:25774 Cannot connect to panel.example port 25774 (192.0.2.7 and 2 more): connection refused
→ refused: no connection to panel.example port 25774 (192.0.2.7 and 2 more): connection refused ⇒ start the panel if it is down (ss -ltn); else correct -e or a firewall
connect Cannot connect to panel.example port 443 (192.0.2.7): this machine does not let it through
→ own firewall: no connection to panel.example port 443 (192.0.2.7): this machine does not let it through ⇒ see which rule of this machine's firewall refuses it: nft list ruleset || iptables-save
connect Cannot connect to panel.example port 443 (2001:db8::7): this machine has no address of that family
→ no usable family: no connection to panel.example port 443 (2001:db8::7): this machine has no address of that family ⇒ this machine has no IPv6: give the panel's name an IPv4 address, too
connect Cannot connect to panel.example port 443 (192.0.2.7): host is unreachable
→ host unreachable: no connection to panel.example port 443 (192.0.2.7): host is unreachable ⇒ if it answers ping -c 3 192.0.2.7, a firewall, there or here, rejects port 443 (nft list ruleset || iptables-save); if not, see whether it is on
connect Cannot connect to panel.example port 443 (2001:db8::7): network is unreachable
→ offline: no connection to panel.example port 443 (2001:db8::7): network is unreachable ⇒ see whether this machine is online, has IPv6 and a route there: ip addr; ip -6 route get 2001:db8::7
connect Cannot connect to panel.example port 443 (192.0.2.7): no answer within 10 s
→ dropped: no connection to panel.example port 443 (192.0.2.7): no answer within 10 s ⇒ see from another machine whether it answers: curl -m 10 -I https://panel.example; if so, a firewall here drops it (nft list ruleset || iptables-save); if not, open port 443 in its firewall or the provider's security group
connect Cannot connect to panel.example port 443 (192.0.2.7): connection reset
→ connection: no connection to panel.example port 443 (192.0.2.7): connection reset ⇒ see what answers there: curl -v https://panel.example
proxy proxy=http://10.0.0.1:3128 Cannot connect to panel.example through the proxy 10.0.0.1 port 3128: the proxy answers 407 Proxy Authentication Required
→ proxy's login: the proxy 10.0.0.1 wants a login: the proxy answers 407 Proxy Authentication Required ⇒ put the proxy's user and password into HTTPS_PROXY/ALL_PROXY: http://USER:PASSWORD@HOST:PORT
proxy proxy=http://me:s3cret@10.0.0.1:3128 Cannot connect to panel.example through the proxy 10.0.0.1 port 3128: the proxy answers 407 Proxy Authentication Required
→ proxy's password: the proxy 10.0.0.1 does not accept this login: the proxy answers 407 Proxy Authentication Required ⇒ correct the user and password in HTTPS_PROXY/ALL_PROXY
proxy proxy=socks5h://10.0.0.1:1080 Cannot connect to panel.example through the proxy 10.0.0.1 port 1080: the proxy answers that its rules forbid the connection
→ proxy forbids: the proxy 10.0.0.1 refuses panel.example: the proxy answers that its rules forbid the connection ⇒ have the proxy allow panel.example
proxy proxy=http://10.0.0.1:3128 Cannot connect to panel.example through the proxy 10.0.0.1 port 3128: the proxy answers 503 Service Unavailable
→ proxy unconnected: the proxy 10.0.0.1 does not reach panel.example: the proxy answers 503 Service Unavailable ⇒ see on the proxy's machine whether it reaches the panel: curl -v https://panel.example
proxy proxy=socks5h://10.0.0.1:80 Cannot connect to panel.example through the proxy 10.0.0.1 port 80: the proxy does not speak SOCKS 5
→ no proxy: no connection through the proxy 10.0.0.1: the proxy does not speak SOCKS 5 ⇒ see whether HTTPS_PROXY/ALL_PROXY names a proxy of that kind, not a web server: curl -v -x socks5h://10.0.0.1:80 https://panel.example
answer url=http://panel.example proxy=http://10.0.0.1:3128 502 <h1>Bad Gateway
→ proxy unconnected: the proxy 10.0.0.1 does not reach panel.example: the proxy answers 502 ⇒ see on the proxy's machine whether it reaches the panel: curl -v http://panel.example
answer proxy=http://10.0.0.1:3128 502 <h1>Bad Gateway
→ no upstream: the proxy in front of the panel gets no answer from it: status 502 and a page of HTML, "Bad Gateway" ⇒ see whether the panel runs, and whether that proxy asks the right address (nginx: proxy_pass, error log)
answer url=http://panel.example proxy=http://10.0.0.1:3128 407 <h1>Login
→ proxy's login: the proxy 10.0.0.1 wants a login: the proxy answers 407 ⇒ put the proxy's user and password into HTTP_PROXY/ALL_PROXY: http://USER:PASSWORD@HOST:PORT
tls Cannot start TLS with panel.example port 443: it has no TLS 1.2 or 1.3
→ old TLS: no TLS with panel.example port 443: it has no TLS 1.2 or 1.3 ⇒ have the panel's server speak TLS 1.2 or 1.3 (nginx: ssl_protocols TLSv1.2 TLSv1.3)
tls Cannot start TLS with panel.example port 443: the server and this agent have no cipher in common
→ ciphers: no TLS with panel.example port 443: the server and this agent have no cipher in common ⇒ have the panel's server offer TLS 1.3, or ECDHE with AES-GCM (nginx: ssl_ciphers HIGH)
tls Cannot start TLS with panel.example port 443: the server speaks no HTTP/1.1 there
→ no HTTP/1.1: no TLS with panel.example port 443: the server speaks no HTTP/1.1 there ⇒ have the panel's server speak HTTP/1.1 there, too, as agents do (Caddy: protocols h1 h2)
tls Cannot start TLS with panel.example port 443: the server requires a client certificate
→ client certificate: no TLS with panel.example port 443: the server requires a client certificate ⇒ let /api/clients/ pass without a client certificate (nginx: ssl_verify_client optional)
tls url=https://panel.example:25774/k/ Cannot connect to panel.example port 25774: it does not speak TLS; is it an http:// address?
→ no TLS: panel.example port 25774 does not speak TLS ⇒ if the panel has no TLS, write http://panel.example:25774/k into -e (then anyone on the way can read the token); else correct the port
tls Cannot trust the certificate of panel.example: it has expired, or this machine's clock is wrong
→ expired: the certificate of panel.example is not trusted: it has expired, or this machine's clock is wrong ⇒ if the date here is right (date), renew the certificate on the panel's server: certbot renew; systemctl reload nginx
tls Cannot trust the certificate of panel.example: it is not valid yet, or this machine's clock is wrong
→ not yet valid: the certificate of panel.example is not trusted: it is not valid yet, or this machine's clock is wrong ⇒ see whether the date here is right: date; if not, set it: timedatectl set-ntp true
tls Cannot trust the certificate of panel.example: it is of X.509 version 1, which no client accepts
→ kind of certificate: the certificate of panel.example is not trusted: it is of X.509 version 1, which no client accepts ⇒ make a new certificate with the name in it: openssl req -x509 -addext subjectAltName=DNS:panel.example …
tls Cannot trust the certificate of panel.example: it is for another name
→ other name: the certificate of panel.example is not trusted: it is for another name ⇒ correct the name in -e, or give the panel's server a certificate for panel.example
tls Cannot start TLS with panel.example port 443: the server has no site of that name
→ no site: no TLS with panel.example port 443: the server has no site of that name ⇒ correct the name in -e, or give the panel's server a certificate for panel.example
tls ca=yes Cannot trust the certificate of panel.example: its issuer is unknown to this machine
→ unknown issuer: the certificate of panel.example is not trusted: its issuer is unknown to this machine ⇒ give the panel's server the full chain (fullchain.pem); for an authority of your own: --ca-cert FILE
tls ca=yes Cannot trust the certificate of panel.example: it is self-signed
→ wrong authority: the certificate of panel.example is not trusted: the file of --ca-cert does not hold its authority ⇒ give a file that holds it: --ca-cert FILE
tls Cannot trust the certificate of panel.example: it is self-signed
→ self-signed: the certificate of panel.example is not trusted: it is self-signed ⇒ if it is the panel's own certificate, trust it: --ca-cert FILE
tls Cannot trust the certificate of panel.example: its issuer is unknown to this machine
→ unknown issuer: the certificate of panel.example is not trusted: its issuer is unknown to this machine ⇒ give the panel's server the full chain (fullchain.pem); for an authority of your own: --ca-cert FILE
tls proxy=http://127.0.0.1:7890 Cannot start TLS with panel.example port 443: the server closed the connection
→ closed tunnel: the proxy 127.0.0.1 opened a way to panel.example, and then: the server closed the connection ⇒ see whether the proxy reaches the panel: curl -v -x http://127.0.0.1:7890 https://panel.example; without it: NO_PROXY=panel.example
tls Cannot start TLS with 192.0.2.7 port 443: the server has failed, as for a name without a certificate
→ no site: no TLS with panel.example port 443: the server has failed, as for a name without a certificate ⇒ correct the name in -e, or give the panel's server a certificate for panel.example
tls no answer within 8 s
→ no TLS answer: no TLS with panel.example port 443: no answer within 8 s ⇒ see what answers there: openssl s_client -connect panel.example:443 -servername panel.example </dev/null; if that hangs too, large packets may be lost on the way (ping -M do -s 1472 panel.example): lower the MTU
tls Cannot start TLS with panel.example port 443: the server closed the connection
→ TLS: no TLS with panel.example port 443: the server closed the connection ⇒ see what answers there: openssl s_client -connect panel.example:443 -servername panel.example </dev/null
silent no answer within 6 s
→ hangs: connected to panel.example, and no answer within 6 s ⇒ see on the panel's machine whether the panel hangs: its log; top; df -h
closed url=http://panel.example proxy=http://127.0.0.1:7890 the connection was closed without an answer
→ closes by proxy: connected to the proxy 127.0.0.1, and the connection was closed without an answer ⇒ see whether HTTP_PROXY/ALL_PROXY names an HTTP proxy that works: curl -v -x http://127.0.0.1:7890 http://panel.example; without it: NO_PROXY=panel.example
closed url=http://panel.example:8443 the connection was lost
→ closes without TLS: connected to panel.example, and the connection was lost ⇒ see whether that port speaks TLS: curl -kv https://panel.example:8443; if so, write https://panel.example:8443 into -e
closed url=http://panel.example pull=yes accepted=yes the connection was closed without an answer
→ closes pulls: a request that waits for orders was ended: the connection was closed without an answer ⇒ if it repeats, raise the time-out of the proxy in front of the panel (nginx: proxy_read_timeout 60s)
closed pull=yes the connection was lost
→ closes: connected to panel.example, and the connection was lost ⇒ see what answers there: curl --http1.1 -v https://panel.example
closed the connection was lost
→ closes: connected to panel.example, and the connection was lost ⇒ see what answers there: curl --http1.1 -v https://panel.example
token token=\${KOMARI_TOKEN} the panel does not know this token
→ variable for a token: the panel does not know this token: it is a variable that was not expanded ⇒ put the token itself into --token-file FILE, and restart the agent
token token="0123456789abcdefghijkl the panel does not know this token
→ odd token: the panel does not know this token: it contains U+0022, which no token has ⇒ put the node's token, as the panel's page shows it, into --token-file FILE, and restart the agent
token token=0f8fad5b-d9cb-469f-a165-70867728950e the panel does not know this token
→ UUID for a token: the panel does not know this token ⇒ copy the node's token from the panel (this one is a UUID, which names a node)
token token=0123456789abcdef0123456789abcdef the panel does not know this token
→ long token: the panel does not know this token ⇒ copy the node's token from the panel (this one has 32 characters instead of 22; an auto-discovery key goes into --auto-discovery)
token token=0123456789abcde the panel does not know this token
→ short token: the panel does not know this token ⇒ copy the node's token from the panel (this one has 15 characters instead of 22)
token accepted=yes the panel does not know this token
→ deleted node: the panel does not know this token any more ⇒ see on the panel's page whether the node was deleted; if so, add it again, and put its new token into --token-file FILE, and restart the agent
token the panel does not know this token
→ unknown token: the panel does not know this token ⇒ see on the panel's page whether the node is still there, and put its token into --token-file FILE, and restart the agent
key status 401
→ key of auto-discovery: the panel rejects the auto-discovery key: status 401 ⇒ compare it with the key on the panel's settings page: --auto-discovery KEY
panel the panel answered "database or disk is full (13)"
→ panel's disk: the disk of the panel is full: "database or disk is full (13)" ⇒ make room on the panel's machine: df -h
panel the panel answered "Method not found"
→ panel's version: the panel does not support this call: "Method not found" ⇒ update the panel, or this agent: their versions are incompatible
panel the panel answered "internal error"
→ panel's error: the panel answers with an error: "internal error" ⇒ read the log of the panel
disconnected Cannot keep the WebSocket: no answer within 5 s
→ lost: the WebSocket was lost: no answer within 5 s ⇒ nothing to do if it happens once, as when an address changes; if it repeats, see whether packets are lost: mtr -rn panel.example
disconnected Cannot keep the WebSocket: the connection was lost
→ closed: the WebSocket was lost: the connection was lost ⇒ nothing to do if it happens once, as when the panel restarts; if it repeats, read the logs of the panel and of the proxy in front of it
short-lived open=3,400,9100 closed
→ second agent: the last 3 WebSockets were closed after only 0.4 s to 9.1 s ⇒ stop this agent, and see whether the panel still shows the node online: then another agent has this token; if not, have the proxy in front of the panel keep silent connections for longer (nginx: proxy_read_timeout 60s)
short-lived open=3,3000,3050 closed
→ second agent: the last 3 WebSockets were closed after only 3.0 s to 3.0 s ⇒ stop this agent, and see whether the panel still shows the node online: then another agent has this token; if not, have the proxy in front of the panel keep silent connections for longer (nginx: proxy_read_timeout 60s)
short-lived open=3,9000,10000 closed
→ second agent: the last 3 WebSockets were closed after only 9.0 s to 10 s ⇒ stop this agent, and see whether the panel still shows the node online: then another agent has this token; if not, have the proxy in front of the panel keep silent connections for longer (nginx: proxy_read_timeout 60s)
short-lived open=3,9900,10000 closed
→ idle limit: the last 3 WebSockets were closed after only 9.9 s to 10 s ⇒ have the proxy in front of the panel keep silent connections for longer (nginx: proxy_read_timeout 60s)
websocket no answer within 10 s
→ WebSockets blocked: WebSockets are blocked: no answer within 10 s ⇒ let the proxy in front of the panel pass WebSockets (nginx: proxy_http_version 1.1, headers Upgrade and Connection)
websocket 400 {"error":"Require WebSocket upgrade","status":"error"}
→ Upgrade removed: WebSockets are blocked: the Upgrade header is removed on the way ⇒ let the proxy in front of the panel pass WebSockets (nginx: proxy_http_version 1.1, headers Upgrade and Connection)
websocket server=nginx 403 <title>403 Forbidden</title>
→ forbidden: a server in front of the panel refuses the request: status 403 and a page of HTML, "403 Forbidden", by "nginx" ⇒ let /api/clients/ pass there (nginx -T | grep deny; its error log)
answer server=cloudflare location=https://panel.example/api/clients/v2/rpc 301
→ cloudflare leads back: the server redirects the panel's address to itself: redirected to https://panel.example/api/clients/v2/rpc, by "cloudflare" ⇒ set Cloudflare's SSL/TLS mode to Full (strict): with Flexible, Cloudflare asks the panel's server by HTTP and is redirected again
answer location=https://panel.example/api/clients/v2/rpc 308
→ leads back: the server redirects the panel's address to itself: redirected to https://panel.example/api/clients/v2/rpc ⇒ have the server answer at https://panel.example instead of redirecting there (nginx: return 301 only in the server for port 80)
answer url=http://panel.example location=https://panel.example/api/clients/v2/rpc 301
→ moved: the panel has another address: redirected to https://panel.example/api/clients/v2/rpc ⇒ write https://panel.example into -e
answer url=http://panel.example location=http://x.example/;id/api/clients/v2/rpc 301
→ login page: the panel's calls are redirected: redirected to http://x.example/;id/api/clients/v2/rpc ⇒ let /api/clients/ pass there without a login; or correct -e, if that is not the panel
answer url=http://panel.example:8443/k/ 400 <title>400 The plain HTTP request was sent to HTTPS port</title>
→ moved: the panel has another address: status 400 and a page of HTML, "400 The plain HTTP request was sent to HTTPS port" ⇒ write https://panel.example:8443/k into -e
answer sends=cf-access-client-id location=https://x.cloudflareaccess.com/cdn-cgi/access/login 302
→ service token of Cloudflare Access: Cloudflare Access asks for a login: redirected to https://x.cloudflareaccess.com/cdn-cgi/access/login ⇒ check at Cloudflare whether the service token has expired, and whether a Service Auth policy includes it
answer location=https://x.cloudflareaccess.com/cdn-cgi/access/login 302
→ cloudflare access: Cloudflare Access asks for a login: redirected to https://x.cloudflareaccess.com/cdn-cgi/access/login ⇒ give --cf-access-client-id and --cf-access-client-secret of a service token, or let /api/clients/ pass there
answer server=cloudflare cf-mitigated=challenge 403 <title>Just a moment...</title>
→ cloudflare challenge: Cloudflare asks this machine to prove that it is a browser: status 403 and a page of HTML, "Just a moment...", by "cloudflare" ⇒ have Cloudflare let /api/clients/ pass: skip that path in Security, WAF, and switch Bot Fight Mode off
answer server=cloudflare 403 <title>Attention Required! | Cloudflare</title><h1>Sorry, you have been blocked</h1>
→ cloudflare: Cloudflare answers in place of the panel: status 403 and a page of HTML, "Attention Required! | Cloudflare", by "cloudflare" ⇒ correct the rule of Cloudflare's WAF that refuses this machine: Security, Events names it
answer server=cloudflare 521 error code: 521
→ cloudflare: Cloudflare answers in place of the panel: status 521, "error code: 521", by "cloudflare" ⇒ see on the panel's machine whether it, or the proxy in front of it, listens (ss -ltn) and lets Cloudflare's addresses in
answer server=cloudflare 403 error code: 1020
→ cloudflare: Cloudflare answers in place of the panel: status 403, "error code: 1020", by "cloudflare" ⇒ correct the rule of Cloudflare's WAF that refuses this machine: Security, Events names it
answer 404 Not found in database migration mode
→ migrating: the panel waits for its database: status 404, "Not found in database migration mode" ⇒ open https://panel.example in a browser, and start the migration or recovery
answer 404 <h1>The page you requested was not found.</h1><p><em>Faithfully yours, frp.</em></p>
→ tunnel of frp: frp has no tunnel to the panel: status 404 and a page of HTML, "The page you requested was not found." ⇒ see on the panel's machine whether frpc runs, and has panel.example in customDomains
answer server=Beaver 403 <html><title>Non-compliance ICP Filing</title>
→ no ICP filing: a provider blocks this name, as it has no ICP filing: status 403 and a page of HTML, "Non-compliance ICP Filing", by "Beaver" ⇒ complete the ICP filing of panel.example, or reach the panel through a server outside mainland China
answer url=http://panel.example 403 <html><title>该域名未完成备案</title>
→ no ICP filing: a provider blocks this name, as it has no ICP filing: status 403 and a page of HTML, "该域名未完成备案" ⇒ complete the ICP filing of panel.example, or reach the panel through a server outside mainland China
answer 403 <title>雷池 WAF</title>
→ web firewall: a web firewall answers in place of the panel: status 403 and a page of HTML, "雷池 WAF" ⇒ have it let /api/clients/ pass (white list): agents can't pass checks meant for browsers
answer 200 <title>Checking your browser</title>
→ web firewall: a web firewall answers in place of the panel: status 200 and a page of HTML, "Checking your browser" ⇒ have it let /api/clients/ pass (white list): agents can't pass checks meant for browsers
answer sends=authorization www-authenticate=Basic 401
→ password: something in front of the panel asks for a password: status 401 ⇒ correct the user and password that --header sends; the token is not the cause
answer 401 <title>401 Authorization Required</title>
→ no password: something in front of the panel asks for a password: status 401 and a page of HTML, "401 Authorization Required" ⇒ let /api/clients/ pass without it, or give --header 'Authorization: Basic …'; the token is not the cause
answer 404 {"message":"Not found in install mode"}
→ not set up: this Komari panel is not set up yet: status 404, "Not found in install mode" ⇒ open https://panel.example in a browser, and set it up
answer 200 <title>Komari Monitor</title>
→ komari page: the panel's web page answers instead of its agent API: status 200 and a page of HTML, "Komari Monitor" ⇒ have that server pass all paths to the panel, including /api/, for POST and GET (nginx: location / with proxy_pass)
answer url=https://example.com/panel 200 <title>Komari Monitor</title>
→ komari page below a path: the panel's web page answers instead of its agent API: status 200 and a page of HTML, "Komari Monitor" ⇒ have that server remove /panel from the requests that it passes to the panel (nginx: a slash at the end of proxy_pass)
answer 500 {"status":"error","message":"database or disk is full (13)"}
→ full disk of the panel: the disk of the panel is full: status 500, "database or disk is full (13)" ⇒ make room on the panel's machine: df -h
answer 400 <title>400 No required SSL certificate was sent</title>
→ no client certificate: the server requires a client certificate: status 400 and a page of HTML, "400 No required SSL certificate was sent" ⇒ let /api/clients/ pass without a client certificate (nginx: ssl_verify_client optional)
answer 421
→ other site: the server there has no site of this name: status 421 ⇒ correct the name in -e, or have the server there serve it (nginx: server_name)
answer 413 <title>413 Request Entity Too Large</title>
→ too large: the server refuses large requests: status 413 and a page of HTML, "413 Request Entity Too Large" ⇒ let the proxy in front of the panel take larger requests (nginx: client_max_body_size 1m)
answer 429 {"error":"too many requests"}
→ limited: the server limits requests: status 429, "too many requests" ⇒ raise the limit for /api/clients/ in what is in front of the panel (nginx: limit_req, limit_conn)
answer 500 oops
→ failed: the server has failed: status 500, "oops" ⇒ read the log of the panel, and of the proxy in front of it
answer server=nginx/1.22.1 502 <title>502 Bad Gateway</title>
→ no upstream: the proxy in front of the panel gets no answer from it: status 502 and a page of HTML, "502 Bad Gateway", by "nginx/1.22.1" ⇒ see whether the panel runs, and whether that proxy asks the right address (nginx: proxy_pass, error log)
answer pull=yes accepted=yes 504
→ ends pulls: the proxy in front of the panel ends requests that wait for orders: status 504 ⇒ raise its time-out (nginx: proxy_read_timeout 60s)
answer 504
→ no upstream: the proxy in front of the panel gets no answer from it: status 504 ⇒ see whether the panel runs, and whether that proxy asks the right address (nginx: proxy_pass, error log)
answer 503 <title>503 Service Temporarily Unavailable</title>
→ unavailable: the server is not available: status 503 and a page of HTML, "503 Service Temporarily Unavailable" ⇒ see on the panel's machine whether the panel runs, and read the log of the server in front of it
answer 403 <title>403 Forbidden</title>
→ forbidden: a server in front of the panel refuses the request: status 403 and a page of HTML, "403 Forbidden" ⇒ let /api/clients/ pass there (nginx -T | grep deny; its error log)
answer location=https://login.example/start?next=s3cret 302
→ login page: the panel's calls are redirected: redirected to https://login.example/start ⇒ let /api/clients/ pass there without a login; or correct -e, if that is not the panel
answer url=http://panel.example proxy=http://10.0.0.1:80 404 <title>404 Not Found</title>
→ no panel by proxy: no Komari panel at this address: status 404 and a page of HTML, "404 Not Found" ⇒ correct -e, or HTTP_PROXY/ALL_PROXY if that names a web server rather than a proxy
answer server=nginx 404 <title>404 Not Found</title>
→ no panel: no Komari panel at this address: status 404 and a page of HTML, "404 Not Found", by "nginx" ⇒ correct the address and its path in -e
answer 200 <title>Welcome to nginx!</title>
→ no panel: no Komari panel at this address: status 200 and a page of HTML, "Welcome to nginx!" ⇒ correct the address and its path in -e
ping there is no "ping" command
→ no ping: there is no "ping" command ⇒ install iputils-ping (Debian, Ubuntu) or iputils (Fedora, Arch, Alpine)
ping "ping" may not open its socket (ping: socket: Operation not permitted)
→ rights of ping: "ping" may not open its socket ⇒ run the agent as root, or grant it CAP_NET_RAW (AmbientCapabilities= in its unit, --cap-add NET_RAW for its container)
ping /bin/sh could not be started to ping with
→ ping: /bin/sh could not be started to ping with ⇒ see what it says: ping -c 1 127.0.0.1
terminal there is no "script" command
→ no script: there is no "script" command ⇒ install it (Debian: bsdutils; Alpine: util-linux-misc; Fedora: util-linux-script)
state Cannot write /var/lib/x/month.state: No space left on device
→ own disk: Cannot write /var/lib/x/month.state: No space left on device ⇒ make room on the disk of /var/lib/x: df -h; df -i
state Cannot write /var/lib/x/month.state: Permission denied
→ rights of the state: Cannot write /var/lib/x/month.state: Permission denied ⇒ if /var/lib/x holds only the agent's files: chown -R USER /var/lib/x
state /var/lib/x/month.state was deleted
→ deleted state: /var/lib/x/month.state was deleted ⇒ make /var/lib/x again, restart the agent, and set the month's total: komari-agent-deno traffic set
state another agent uses /var/lib/x
→ shared state: another agent uses /var/lib/x ⇒ give each agent a --state-dir of its own
state Cannot write /var/lib/x/month.state: Not a directory
→ no folder: Cannot write /var/lib/x/month.state: Not a directory ⇒ move away what is there, or choose another folder: --state-dir FOLDER
state Cannot write /var/lib/x/month.state: Read-only file system
→ read-only state: Cannot write /var/lib/x/month.state: Read-only file system ⇒ make the disk of /var/lib/x writable, or choose another folder: --state-dir FOLDER
state Cannot write /var/lib/x/month.state: Input/output error
→ state: Cannot write /var/lib/x/month.state: Input/output error ⇒ see what is there: namei -l /var/lib/x; findmnt -T /var/lib/x
`);

Deno.test("each failure has its cause, the reason and one thing to do", () =>
  same((line: string) => {
    const { cause, reason, action } = diagnose(line);
    return `${cause}: ${reason} ⇒ ${action}`;
  }, FAILURES));

Deno.test("every row of the table is the cause of a failure, and no two have the same name", () => {
  const ids = [...readCauses().values()].flat().map(({ id }) => id);
  const found = new Set(FAILURES.map(([failure]) => diagnose(failure).cause));
  assertEquals([new Set(ids).size, ids.filter((id) => !found.has(id))], [ids.length, []]);
});

Deno.test("every reason and action is Chinese in Chinese", () => {
  const bad = FAILURES.flatMap(([failure]) => {
    const { reason, action, more } = diagnose(failure);
    return [reason, action, ...more].map((text) => translate(text, "zh"));
  }).filter((text) =>
    (leftEnglish(text) ?? brokenRules(text)[0]) !== undefined || !/[\u4e00-\u9fff]/.test(text)
  );
  assertEquals(bad, []);
});

Deno.test("every code of Cloudflare's has its advice", async () => {
  const codes = "1003 1010 1015 1016 1020 1033 520 521 522 523 524 525 526 530".split(" ");
  const advice = codes.map((code) => {
    const status = code.length === 3 ? code : "403";
    return diagnose(`answer server=cloudflare ${status} error code: ${code}`).action;
  });
  assertEquals(new Set(advice).size, codes.length);
  await same(
    (text: string) => leftEnglish(translate(text, "zh")),
    advice.map((it) => [it, undefined]),
  );
});

Deno.test("a diagnosis shows neither the token nor a proxy's password", () => {
  const texts = FAILURES.map(([failure]) => Object.values(diagnose(failure)).flat().join());
  assertEquals(texts.filter((text) => /0123456789abcde|s3cret/.test(text)), []);
});

Deno.test("a diagnosis is one line", () => {
  assertEquals(diagnosisLine({ reason: "why", action: "do it" }), "why → do it");
});

Deno.test("places are those of the layers that the options are from", () => {
  const url = new URL("https://panel.example");
  const origins = new Map([["endpoint", "/etc/x.json"], ["token", "flag --token"]]);
  const { endpoint, token, proxy, withoutProxy } = placesOf(origins, url);
  assertEquals([endpoint, token, proxy, withoutProxy], [
    "/etc/x.json",
    "--token-file FILE, and restart the agent",
    "HTTPS_PROXY/ALL_PROXY",
    "NO_PROXY=panel.example",
  ]);
});

Deno.test("the token of an installed service is changed by install, which restarts it", async () => {
  const placeOf = (file: string) =>
    placesOf(new Map([["token", `key token of ${file}`]]), new URL("https://p.example")).token;
  const install = "FILE, and run `komari-agent-deno install --token-file FILE`";
  await same(placeOf, [
    ["/etc/komari-agent-deno/config.json", install],
    ["/home/a/.config/komari-agent-deno/config.json", install],
    ["/srv/config.json", "key token of /srv/config.json, and restart the agent"],
  ]);
  const advice = `put the token itself into ${install}`;
  assertEquals(leftEnglish(translate(advice, "zh")), undefined);
});
