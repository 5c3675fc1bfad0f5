/**
 * The table of causes: what a failure is, and what to do about it.
 *
 * Below the stage of a failure (`#`) stand its rows, of which the first that fits is the cause: its name
 * and, behind `~`, what it fits (all without that); the reason; and what to do, the likeliest first.
 * Conditions are statuses, a pattern of the error or answer, or the name of a test (`@`); `{name}` is a
 * value, and `{--flag VALUE}` an option as it is given here. The text is ASCII, since the minifier can't
 * escape a raw one, and one other character doubles the program's text in memory. Tests and values are those of `diagnose.ts`.
 *
 * @module
 */

import type { Row } from "./cause.ts";

/**
 * Reads the rows by stage, in their order. The text is within the function, so that an agent without
 * failures has it in its script alone.
 */
export function readCauses(): ReadonlyMap<string, readonly Row[]> {
  const text = String.raw`
# lookup
= configured name server ~ /configured name server/
no address for {hop}: {why}
-> correct {--custom-dns ADDRESS}, or leave it out
= no name server ~ /names no name server/
no address for {hop}: {why}
-> start what writes that file, or write it: rm -f /etc/resolv.conf; echo nameserver 1.1.1.1 >/etc/resolv.conf
= name or name server ~ /, or has no/
no address for {hop}: {why}
-> see which: ping -c 1 {host}; at "Temporary failure" start that name server, or name another in /etc/resolv.conf; else correct the name in {hopPlace}
-> or ask another name server: {--custom-dns ADDRESS}
= name server ~ /name server|no answer within|refused|unreachable/
no address for {hop}: {server}
-> check the network (ip route) and the name server (cat /etc/resolv.conf)
-> or ask another name server: {--custom-dns ADDRESS}
= no usable address ~ /no address that/
no address for {hop} that this machine can use
-> correct the name in {hopPlace} if it is wrong; else add a DNS record for it (A, if this machine has no IPv6)
-> see what the system finds: getent ahosts {host}
= name ~ /no such name/
no such name: {host}
-> correct the name in {hopPlace}, or add a DNS record for it
-> see what its DNS provider answers: dig +trace {host}
= lookup
no address for {hop}: {why}
-> see what the system finds: getent ahosts {host}
-> or ask another name server: {--custom-dns ADDRESS}

# connect
= dead proxy ~ @proxy
no connection to {peer}: {why}
-> start the proxy, or correct {proxy}; without it: {withoutProxy}
-> see whether it listens: nc -vz {host} {port}
= blocked name ~ /\((?:0\.0\.0\.0|::)\)/
no connection to {peer}: {why}
-> a filter answers {address} for {host}: take the name out of it, or out of /etc/hosts (grep {host} /etc/hosts)
= not on this machine ~ @loopback
no connection to {peer}: {why}
-> start the panel, if it is on this machine (ss -ltn); else correct {endpoint} (in a container, {address} is the container itself)
= fake address ~ @fake address
no connection to {peer}: {why}
-> {address} is a fake IP of a proxy's DNS (Clash, sing-box): start that proxy, or have it leave {host} out (fake-ip-filter)
= port of Cloudflare ~ @not forwarded
no connection to {peer}: {why}
-> {address} is Cloudflare's, which does not forward port {port}: use 443 or 8443 there (80 or 8080 without TLS), or a name of "DNS only"
= refused ~ /refused/
no connection to {peer}: {why}
-> start the panel if it is down (ss -ltn); else correct {endpoint} or a firewall
-> see whether a firewall, here or there, refuses it: nft list ruleset || iptables-save
= own firewall ~ /does not let it through/
no connection to {peer}: {why}
-> see which rule of this machine's firewall refuses it: nft list ruleset || iptables-save
-> see whether SELinux or AppArmor refuses it: journalctl -k | grep -i denied
= no usable family ~ /no address of that family/
no connection to {peer}: {why}
-> this machine has no {family}: give the panel's name an {otherFamily} address, too
-> see whether it has an address that may be used, and a free port: ip addr; ss -s
= host unreachable ~ /host is (?:unreachable|down)/
no connection to {peer}: {why}
-> if it answers ping -c 3 {address}, a firewall, there or here, rejects port {port} (nft list ruleset || iptables-save); if not, see whether it is on
-> see which route leads there: {ip} route get {address}
-> see which rule of this machine's firewall refuses it: nft list ruleset || iptables-save
= offline ~ /unreachable|leads nowhere|prohibited|is down/
no connection to {peer}: {why}
-> see whether this machine is online, has {family} and a route there: ip addr; {ip} route get {address}
-> see which rule of this machine's firewall refuses it: nft list ruleset || iptables-save
= dropped ~ /no answer/
no connection to {peer}: {why}
-> see from another machine whether it answers: curl -m 10 -I {origin}; if so, a firewall here drops it (nft list ruleset || iptables-save); if not, open port {port} in its firewall or the provider's security group
-> see how far packets get: traceroute -n {address}
= connection
no connection to {peer}: {why}
-> see what answers there: curl -v {origin}

# proxy
= proxy's login ~ / 407\b|user or password|authentication method/ & @no login
{hop} wants a login: {why}
-> put the proxy's user and password into {proxy}: {kind}://USER:PASSWORD@HOST:PORT
= proxy's password ~ / 407\b|user or password|authentication method/
{hop} does not accept this login: {why}
-> correct the user and password in {proxy}
= proxy forbids ~ / 403\b|rules forbid/
{hop} refuses {panel}: {why}
-> have the proxy allow {panel}
-> or reach {panel} without the proxy: {withoutProxy}
= proxy unconnected ~ / 50[234]\b|unreachable|refused|general failure|TTL/
{hop} does not reach {panel}: {why}
-> see on the proxy's machine whether it reaches the panel: curl -v {origin}
-> or reach {panel} without the proxy: {withoutProxy}
= no proxy
no connection through {hop}: {why}
-> see whether {proxy} names a proxy of that kind, not a web server: curl -v -x {kind}://{host}:{port} {origin}
-> or reach {panel} without the proxy: {withoutProxy}

# tls
= closed tunnel ~ /closed the connection|connection reset|no answer/ & @proxy
{hop} opened a way to {panel}, and then: {why}
-> see whether the proxy reaches the panel: curl -v -x {kind}://{host}:{port} {origin}; without it: {withoutProxy}
= old TLS ~ /no TLS 1\.2/
no TLS with {host} port {port}: {why}
-> have the panel's server speak TLS 1.2 or 1.3 (nginx: ssl_protocols TLSv1.2 TLSv1.3)
= ciphers ~ /no cipher in common/
no TLS with {host} port {port}: {why}
-> have the panel's server offer TLS 1.3, or ECDHE with AES-GCM (nginx: ssl_ciphers HIGH)
= no HTTP/1.1 ~ /no HTTP\/1\.1/
no TLS with {host} port {port}: {why}
-> have the panel's server speak HTTP/1.1 there, too, as agents do (Caddy: protocols h1 h2)
= client certificate ~ /requires a client cert/
no TLS with {host} port {port}: {why}
-> let /api/clients/ pass without a client certificate (nginx: ssl_verify_client optional)
= no TLS ~ /does not speak TLS/
{host} port {port} does not speak TLS
-> if the panel has no TLS, write {plain} into {endpoint} (then anyone on the way can read the token); else correct the port
= expired ~ /has expired/
the certificate of {host} is not trusted: {why}
-> if the date here is right (date), renew the certificate on the panel's server: certbot renew; systemctl reload nginx
= not yet valid ~ /not valid (?:yet|at this time)/
the certificate of {host} is not trusted: {why}
-> see whether the date here is right: date; if not, set it: timedatectl set-ntp true
= kind of certificate ~ /X\.509 version 1|not supported/
the certificate of {host} is not trusted: {why}
-> make a new certificate with the name in it: openssl req -x509 -addext subjectAltName={subject} ...
= other name ~ /another name/
the certificate of {host} is not trusted: {why}
-> correct the name in {endpoint}, or give the panel's server a certificate for {host}
= no site ~ /no site of that name|name without a certificate/
no TLS with {host} port {port}: {why}
-> correct the name in {endpoint}, or give the panel's server a certificate for {host}
= wrong authority ~ /self-signed/ & @own authorities
the certificate of {host} is not trusted: the file of --ca-cert does not hold its authority
-> give a file that holds it: {--ca-cert FILE}
-> save it, and compare it with the certificate on that server: {client} | openssl x509 >FILE
= self-signed ~ /self-signed/
the certificate of {host} is not trusted: {why}
-> if it is the panel's own certificate, trust it: {--ca-cert FILE}
-> save it, and compare it with the certificate on that server: {client} | openssl x509 >FILE
= unknown issuer ~ /issuer is unknown/
the certificate of {host} is not trusted: {why}
-> give the panel's server the full chain (fullchain.pem); for an authority of your own: {--ca-cert FILE}
-> see from another machine whether the issuer is the same; if not, something on the way answers: {client}
= no TLS answer ~ /no answer/
no TLS with {host} port {port}: {why}
-> see what answers there: {client}; if that hangs too, large packets may be lost on the way (ping -M do -s 1472 {host}): lower the MTU
-> read the log of the server that terminates TLS for the panel
= TLS
no TLS with {host} port {port}: {why}
-> see what answers there: {client}
-> read the log of the server that terminates TLS for the panel

# silent
= hangs
connected to {host}, and {why}
-> see on the panel's machine whether the panel hangs: its log; top; df -h
-> see whether a late answer comes: curl -v {url}

# closed
= closes pulls ~ @pull & @accepted before
a request that waits for orders was ended: {why}
-> if it repeats, raise the time-out of the proxy in front of the panel (nginx: proxy_read_timeout 60s)
= closes by proxy ~ @proxy & @plain
connected to {hop}, and {why}
-> see whether {proxy} names an HTTP proxy that works: curl -v -x {kind}://{host}:{port} {origin}; without it: {withoutProxy}
= closes without TLS ~ @plain
connected to {host}, and {why}
-> see whether that port speaks TLS: curl -kv {secure}; if so, write {secure} into {endpoint}
= closes
connected to {host}, and {why}
-> see what answers there: curl --http1.1 -v {url}

# token
= variable for a token ~ @variable
{why}: it is a variable that was not expanded
-> put the token itself into {token}
= odd token ~ @odd
{why}: it contains {odd}, which no token has
-> put the node's token, as the panel's page shows it, into {token}
= UUID for a token ~ @UUID
{why}
-> copy the node's token from the panel (this one is a UUID, which names a node)
= long token ~ @long
{why}
-> copy the node's token from the panel (this one has {length} characters instead of 22; an auto-discovery key goes into --auto-discovery)
= short token ~ @short
{why}
-> copy the node's token from the panel (this one has {length} characters instead of 22)
= deleted node ~ @accepted before
the panel does not know this token any more
-> see on the panel's page whether the node was deleted; if so, add it again, and put its new token into {token}
= unknown token
{why}
-> see on the panel's page whether the node is still there, and put its token into {token}

# key
= key of auto-discovery
the panel rejects the auto-discovery key: {why}
-> compare it with the key on the panel's settings page: {--auto-discovery KEY}

# panel
= panel's disk ~ /disk is full|no space left|disk quota/
the disk of the panel is full: {why}
-> make room on the panel's machine: df -h
= panel's version ~ /-32601|[Mm]ethod not found|[Uu]nknown method/
the panel does not support this call: {why}
-> update the panel, or this agent: their versions are incompatible
= panel's error
the panel answers with an error: {why}
-> read the log of the panel

# disconnected
= lost ~ /no answer within/
the WebSocket was lost: {why}
-> nothing to do if it happens once, as when an address changes; if it repeats, see whether packets are lost: mtr -rn {host}
= closed
the WebSocket was lost: {why}
-> nothing to do if it happens once, as when the panel restarts; if it repeats, read the logs of the panel and of the proxy in front of it

# short-lived
= idle limit ~ @even
the last {count} WebSockets were closed after only {shortest} to {longest}
-> have the proxy in front of the panel keep silent connections for longer (nginx: proxy_read_timeout 60s)
= second agent
the last {count} WebSockets were closed after only {shortest} to {longest}
-> stop this agent, and see whether the panel still shows the node online: then another agent has this token; if not, have the proxy in front of the panel keep silent connections for longer (nginx: proxy_read_timeout 60s)
-> see whether the panel itself restarts again and again

# websocket
= WebSockets blocked ~ @no answer
WebSockets are blocked: {why}
-> let the proxy in front of the panel pass WebSockets (nginx: proxy_http_version 1.1, headers Upgrade and Connection)
= Upgrade removed ~ /Require WebSocket upgrade/
WebSockets are blocked: the Upgrade header is removed on the way
-> let the proxy in front of the panel pass WebSockets (nginx: proxy_http_version 1.1, headers Upgrade and Connection)

# answer
= cloudflare leads back ~ @leads back & @by Cloudflare
the server redirects the panel's address to itself: {answer}
-> set Cloudflare's SSL/TLS mode to Full (strict): with Flexible, Cloudflare asks the panel's server by HTTP and is redirected again
= leads back ~ @leads back
the server redirects the panel's address to itself: {answer}
-> have the server answer at {origin} instead of redirecting there (nginx: return 301 only in the server for port 80)
= moved ~ @moved
the panel has another address: {answer}
-> write {moved} into {endpoint}
= service token of Cloudflare Access ~ @Access & @sends cf-access-client-id
Cloudflare Access asks for a login: {answer}
-> check at Cloudflare whether the service token has expired, and whether a Service Auth policy includes it
= cloudflare access ~ @Access
Cloudflare Access asks for a login: {answer}
-> give --cf-access-client-id and --cf-access-client-secret of a service token, or let /api/clients/ pass there
= cloudflare challenge ~ @challenge
Cloudflare asks this machine to prove that it is a browser: {answer}
-> have Cloudflare let /api/clients/ pass: skip that path in Security, WAF, and switch Bot Fight Mode off
-> or give the panel a name that does not go through Cloudflare (DNS only)
= cloudflare ~ @Cloudflare's page
Cloudflare answers in place of the panel: {answer}
-> {cloudflare}
= no ICP filing ~ /Non-compliance ICP|\u672a.{0,9}\u5907\u6848/
a provider blocks this name, as it has no ICP filing: {answer}
-> complete the ICP filing of {host}, or reach the panel through a server outside mainland China
= web firewall ~ @web firewall
a web firewall answers in place of the panel: {answer}
-> have it let /api/clients/ pass (white list): agents can't pass checks meant for browsers
-> or give the panel a name or a port that does not go through it
= password ~ @password & @sends authorization
something in front of the panel asks for a password: {answer}
-> correct the user and password that --header sends; the token is not the cause
= no password ~ @password
something in front of the panel asks for a password: {answer}
-> let /api/clients/ pass without it, or give --header 'Authorization: Basic ...'; the token is not the cause
= migrating ~ /database (?:migration|recovery) mode/
the panel waits for its database: {answer}
-> open {origin} in a browser, and start the migration or recovery
= tunnel of frp ~ /yours, frp/
frp has no tunnel to the panel: {answer}
-> see on the panel's machine whether frpc runs, and has {host} in customDomains
= not set up ~ /install mode/
this Komari panel is not set up yet: {answer}
-> open {origin} in a browser, and set it up
= komari page ~ @Komari's page & @no path
the panel's web page answers instead of its agent API: {answer}
-> have that server pass all paths to the panel, including /api/, for POST and GET (nginx: location / with proxy_pass)
= komari page below a path ~ @Komari's page
the panel's web page answers instead of its agent API: {answer}
-> have that server remove {path} from the requests that it passes to the panel (nginx: a slash at the end of proxy_pass)
= no client certificate ~ /SSL certificate (?:was sent|error)/
the server requires a client certificate: {answer}
-> let /api/clients/ pass without a client certificate (nginx: ssl_verify_client optional)
= full disk of the panel ~ /disk is full|no space left|disk quota/
the disk of the panel is full: {answer}
-> make room on the panel's machine: df -h
= other site ~ 421
the server there has no site of this name: {answer}
-> correct the name in {endpoint}, or have the server there serve it (nginx: server_name)
= too large ~ 413
the server refuses large requests: {answer}
-> let the proxy in front of the panel take larger requests (nginx: client_max_body_size 1m)
= limited ~ 429
the server limits requests: {answer}
-> raise the limit for /api/clients/ in what is in front of the panel (nginx: limit_req, limit_conn)
= failed ~ 500
the server has failed: {answer}
-> read the log of the panel, and of the proxy in front of it
= ends pulls ~ 504 & @pull & @accepted before
the proxy in front of the panel ends requests that wait for orders: {answer}
-> raise its time-out (nginx: proxy_read_timeout 60s)
= no upstream ~ 502 504
the proxy in front of the panel gets no answer from it: {answer}
-> see whether the panel runs, and whether that proxy asks the right address (nginx: proxy_pass, error log)
= unavailable ~ 503
the server is not available: {answer}
-> see on the panel's machine whether the panel runs, and read the log of the server in front of it
-> raise the limit for /api/clients/ in what is in front of the panel (nginx: limit_req, limit_conn)
= forbidden ~ 403
a server in front of the panel refuses the request: {answer}
-> let /api/clients/ pass there (nginx -T | grep deny; its error log)
-> see whether it refuses other machines, too: curl -v {url}/api/clients/v2/rpc
= login page ~ @redirect
the panel's calls are redirected: {answer}
-> let /api/clients/ pass there without a login; or correct {endpoint}, if that is not the panel
= no panel by proxy ~ @proxy & @plain
no Komari panel at this address: {answer}
-> correct {endpoint}, or {proxy} if that names a web server rather than a proxy
= no panel
no Komari panel at this address: {answer}
-> correct the address and its path in {endpoint}
-> if the panel is behind that server, have it pass requests on (nginx: server_name, proxy_pass)

# ping
= no ping ~ /no "ping"/
there is no "ping" command
-> install iputils-ping (Debian, Ubuntu) or iputils (Fedora, Arch, Alpine)
= rights of ping ~ /socket/
"ping" may not open its socket
-> run the agent as root, or grant it CAP_NET_RAW (AmbientCapabilities= in its unit, --cap-add NET_RAW for its container)
= ping
{error}
-> see what it says: ping -c 1 127.0.0.1

# terminal
= no script ~ /"script"/
there is no "script" command
-> install it (Debian: bsdutils; Alpine: util-linux-misc; Fedora: util-linux-script)

# state
= own disk ~ /[Nn]o space|is full|inodes/
{error}
-> make room on the disk of {folder}: df -h; df -i
= rights of the state ~ /denied|not permitted|may not/
{error}
-> if {folder} holds only the agent's files: chown -R USER {folder}
= deleted state ~ /was deleted/
{error}
-> make {folder} again, restart the agent, and set the month's total: komari-agent-deno traffic set
= shared state ~ /another agent/
{error}
-> give each agent a --state-dir of its own
= no folder ~ /[Nn]ot a directory|File exists|no regular file/
{error}
-> move away what is there, or choose another folder: {--state-dir FOLDER}
= read-only state ~ /[Rr]ead-only/
{error}
-> make the disk of {folder} writable, or choose another folder: {--state-dir FOLDER}
= state
{error}
-> see what is there: namei -l {folder}; findmnt -T {folder}
`;
  return new Map(
    text.split("\n# ").slice(1).map((part) => {
      const [stage = "", ...rows] = part.split("\n= ");
      return [stage.trim(), rows.map(rowOf)];
    }),
  );
}

function rowOf(text: string): Row {
  const [head = "", reason = "", ...actions] = text.trim().replaceAll("...", "…").split("\n");
  const [id = "", conditions] = head.split(" ~ ");
  return {
    ...{ id, reason, actions: actions.map((line) => line.replace("-> ", "")) },
    conditions: conditions?.split(" & ") ?? [],
  };
}
