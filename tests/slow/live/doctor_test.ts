import { TempFolder } from "../../temp_folder.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { freePort, freePorts } from "../../free_port.ts";
import { leaveKilledAgent } from "../../own_places.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { lackOfTools } from "./command.ts";
import {
  type Diagnosis,
  type PlantedProblem,
  printDiagnoses,
  problemsIn,
  type ProblemText,
  untilNamed,
} from "./planted_problem.ts";
import { unless } from "../../only_on.ts";

// Another agent of this machine, such as that of another test, may have a well-known one.
const TOKEN = `t0ken-${crypto.randomUUID()}`;

const lack = Deno.uid() === 0 ? lackOfTools("nginx", "openssl", "faketime") : "no root";

interface World {
  /** The address of the panel itself. */
  readonly panel: string;
  readonly ports: Readonly<Record<Site, number>>;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** The port of a SOCKS proxy that reaches nothing. */
  readonly socks: number;
}

/** The servers of an nginx, by what is wrong with each; `@NAME` is the certificate of one that speaks TLS. */
const SITES = {
  good: "",
  "bad gateway": "location / { proxy_pass http://127.0.0.1:9; }",
  "small bodies": "client_max_body_size 10;",
  password: 'auth_basic "Intern"; auth_basic_user_file $FOLDER/passwords;',
  "login page": "location / { return 302 https://login.example/start?rd=1; }",
  "no query": 'set $args "";',
  "no upgrade": 'proxy_set_header Upgrade ""; proxy_set_header Connection "";',
  "another site": "location / { root $FOLDER/www; }",
  forbidden: "location / { return 403; }",
  "calls refused": "location /api/clients/ { return 403; }",
  unavailable: "location / { return 503; }",
  "too many": "location / { return 429; }",
  "own failure": "location / { return 500; }",
  tls: "@good",
  "wrong name": "@wrong",
  expired: "@expired",
  "not yet valid": "@future",
  "self-signed": "@self",
  "version 1": "@version1",
  "no chain": "@alone",
  "client certificate": "@good ssl_verify_client on; ssl_client_certificate $FOLDER/ca.pem;",
  "no such site": "@good ssl_reject_handshake on;",
  "old tls": "@good ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;",
} as const;

type Site = keyof typeof SITES;

function siteText(
  site: Site,
  { port, panel, folder }: { port: number; panel: string; folder: string },
): string {
  const [, certificate, rest = ""] = /^(?:@(\w+))?(.*)$/.exec(SITES[site]) ?? [];
  const tls = certificate === undefined
    ? ""
    : `ssl_certificate ${folder}/${certificate}.pem; ssl_certificate_key ${folder}/${certificate}.key;`;
  const text = rest.replaceAll("$FOLDER", folder);
  const pass = text.includes("location / ") ? "" : `location / { proxy_pass ${panel}; }`;
  const upgrade = site === "no upgrade"
    ? ""
    : 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";';
  return `server { listen 127.0.0.1:${port}${certificate === undefined ? "" : " ssl"}; ${tls}
    proxy_http_version 1.1; ${upgrade} ${text} ${pass} }`;
}

/**
 * Makes an authority, and certificates of it: good, for another name, expired, of the future, of X.509
 * version 1, and one that an intermediate authority has issued, which is not sent along.
 */
async function makeCertificates(folder: string): Promise<void> {
  const make =
    "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost";
  const sign = "openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 30";
  const line = [
    `${make} -x509 -keyout ca.key -out ca.pem -days 4000 -subj /CN=own-authority`,
    `${make} -x509 -keyout self.key -out self.pem -days 30 -addext subjectAltName=DNS:localhost`,
    "echo subjectAltName=DNS:localhost >names",
    "echo subjectAltName=DNS:other.example,DNS:third.example >names-wrong",
    `for name in good wrong expired future; do ${make} -keyout $name.key -out $name.csr; done`,
    `${sign} -in good.csr -out good.pem -extfile names`,
    `${sign} -in wrong.csr -out wrong.pem -extfile names-wrong`,
    `faketime '400 days ago' ${sign} -in expired.csr -out expired.pem -extfile names`,
    `faketime '+400 days' ${sign} -in future.csr -out future.pem -extfile names`,
    `${make} -keyout version1.key -out version1.csr && ${sign} -in version1.csr -out version1.pem`,
    `${make} -keyout inter.key -out inter.csr -subj /CN=intermediate && echo basicConstraints=CA:TRUE >ca`,
    `${sign} -in inter.csr -out inter.pem -extfile ca && ${make} -keyout alone.key -out alone.csr`,
    "echo authorityInfoAccess=caIssuers\\;URI:http://ca.example/inter.der >>names",
    `${sign.replaceAll("ca.", "inter.")} -in alone.csr -out alone.pem -extfile names`,
    "printf 'user:%s\\n' \"$(openssl passwd -apr1 secret)\" >passwords",
    "mkdir www && echo '<title>Welcome to nginx!</title>' >www/index.html",
    "chmod -R a+rX .",
  ].join(" && ");
  const { success, stderr } = await new Deno.Command("sh", { args: ["-c", line], cwd: folder })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function inWorld(act: (world: World) => Promise<void>): Promise<void> {
  using folder = new TempFolder();
  using panel = await startTestPanel({ token: TOKEN });
  await Deno.chmod(folder.path, 0o755);
  await makeCertificates(folder.path);
  // Others that run on this machine don't count.
  leaveKilledAgent(folder.path);
  const proxy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const free = freePorts(Object.keys(SITES).length);
  const entries = Object.keys(SITES).map((site, at) => [site, free[at]]);
  const ports: World["ports"] = Object.fromEntries(entries);
  const sites = (Object.keys(SITES) as Site[]).map((site) =>
    siteText(site, { port: ports[site], panel: panel.url, folder: folder.path })
  );
  await Deno.writeTextFile(
    `${folder.path}/nginx.conf`,
    `daemon off; pid ${folder.path}/pid; error_log ${folder.path}/error.log; events {}
      http { access_log off; ${sites.join("\n")} }`,
  );
  const nginx = new Deno.Command("nginx", {
    args: ["-c", `${folder.path}/nginx.conf`, "-p", folder.path],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const refusing = refuseAll(proxy);
  try {
    await answers(ports.good);
    await act({
      socks: proxy.addr.port,
      panel: panel.url,
      ports,
      folder: folder.path,
      env: { RUNTIME_DIRECTORY: folder.path, HOME: folder.path },
    });
  } finally {
    proxy.close();
    await refusing;
    nginx.kill("SIGTERM");
    await nginx.status;
  }
}

/** Answers as a SOCKS 5 proxy that finds the host of each connection unreachable. */
async function refuseAll(listener: Deno.TcpListener): Promise<void> {
  for await (const connection of listener) {
    // Who asks may give up before that, on a busy machine.
    await refuse(connection).catch(() => {});
    connection.close();
  }
}

async function refuse(connection: Deno.TcpConn): Promise<void> {
  await connection.read(new Uint8Array(64));
  await connection.write(Uint8Array.of(5, 0));
  await connection.read(new Uint8Array(512));
  await connection.write(Uint8Array.of(5, 4, 0, 1, 0, 0, 0, 0, 0, 0));
}

/** Waits until something listens there. */
async function answers(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`Nothing listens on port ${port}`);
}

interface Row extends PlantedProblem {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly through: readonly string[];
}

/**
 * The problems: a name, the arguments, in which `http:SITE` and `https:SITE` stand for addresses, and after
 * the arrow what is said.
 */
function rows({ panel, ports, folder, socks }: World): Row[] {
  const dead = freePort();
  return problemsIn(`
# nothing
-e http:good
→ ok:
# nothing, by TLS of an own authority
trusting tls
→ ok:
# nothing: --ca-cert with a plain self-signed certificate
-e https:self-signed --ca-cert ${folder}/self.pem
→ ok:
# nothing, by TLS of an authority that was added to the system
-e https:tls
through: trusted
→ ok:
# the panel is down behind nginx
-e http:bad_gateway
→ panel failed: 502 Bad Gateway | see whether the panel runs | proxy_pass
# nginx answers 503
-e http:unavailable
→ panel failed: 503 Service Temporarily Unavailable | whether the panel runs | limit_req
# nginx takes small bodies only
-e http:small_bodies
→ panel failed: 413 Request Entity Too Large | client_max_body_size
# nginx asks for a password
-e http:password
→ panel failed: asks for a password | the token is not the cause
# a login page in front of the panel
-e http:login_page
→ panel failed: redirected to https://login.example/start
# a firewall answers 403
-e http:forbidden
→ panel failed: 403 Forbidden | let /api/clients/ pass
# a firewall answers the panel's calls alone
-e http:calls_refused
→ panel failed: a Komari panel answers here ( | refuses an agent's calls: status 403 | let /api/clients/ pass
# the address is another site's
-e http:another_site
→ panel failed: no Komari panel at this address | Welcome to nginx! | correct the address
# nginx passes no upgrades
-e http:no_upgrade
→ websocket warning: the Upgrade header is removed | proxy_http_version 1.1
# http:// to a port of TLS
-e http:tls
→ panel failed: plain HTTP request was sent to HTTPS port | write https://
# https:// to a plain port
-e https:good
→ tls failed: does not speak TLS | write http://localhost
# a certificate for other names
trusting wrong_name
→ tls failed: for other.example, third.example | a certificate for localhost
# an expired certificate
trusting expired
→ tls failed: expired 3 | by the clock of that server it is | → renew the certificate
# a certificate of the future
trusting not_yet_valid
→ tls failed: valid from | the date here is | make a new certificate
# an unknown authority
-e https:tls
→ tls failed: its issuer is unknown | --ca-cert FILE | openssl s_client -connect | 2. 
# a self-signed certificate without --ca-cert
-e https:self-signed
→ tls failed: it is self-signed | --ca-cert FILE
# a certificate of X.509 version 1
trusting version_1
→ tls failed: X.509 version 1 | subjectAltName=DNS:localhost
# a chain without its intermediate certificate
trusting no_chain
→ tls failed: its issuer is unknown | → give the panel's server the full chain
# a server that requires a client certificate
trusting client_certificate
→ panel failed: No required SSL certificate was sent | let /api/clients/ pass without
# a server that has no site of that name
trusting no_such_site
→ tls failed: the server has no site of that name | → correct the name in -e
# TLS 1.1
trusting old_tls
→ tls failed: it has no TLS 1.2 or 1.3 | ssl_protocols TLSv1.2
# the panel answers 500
-e http:own_failure
→ panel failed: status 500 | the server has failed | read the log
# a limit of requests
-e http:too_many
→ panel failed: status 429 | → raise the limit
# a SOCKS proxy that does not reach the panel
-e https://panel.example
env: HTTPS_PROXY=socks5h://127.0.0.1:${socks}
→ connect failed: the proxy answers that the host is unreachable | on the proxy's machine
# a name that does not resolve
-e http://panel.invalid
→ dns failed: no such name: panel.invalid; asked  | NXDOMAIN | correct the name
# nothing listens on the port
-e http://127.0.0.1:${dead}
→ connect failed: connection refused | start the panel | correct -e
# the token of another node
-e http:good -t t0ken-of-no-node-at-al
→ token failed: does not know this token (flag --token) | whether the node is still there
# a proxy that drops the query
-e http:no_query
→ token failed: does not know this token
# no token
-e http:good -t
→ token failed: no token is configured
# a dead proxy
-e http://panel.example
env: HTTP_PROXY=http://127.0.0.1:${dead}
→ connect failed: the proxy | nc -vz | correct HTTP_PROXY | NO_PROXY=panel.example
# a proxy variable that names a web server
-e https://panel.example
env: HTTPS_PROXY=http:another_site
→ connect failed: names a proxy of that kind, not a web server
# a proxy variable that names a web server, for http://
-e http://panel.example
env: HTTP_PROXY=http:another_site
→ panel failed: a web server rather than a proxy
# a clock that is 400 days late
-e ${panel}
through: faketime
→ clock warning: 400 days behind | timedatectl
# a clock that is 400 days late, by TLS
trusting tls
through: faketime
→ tls failed: not valid | the date here is | → set this machine's clock: timedatectl
# a file where the state folder should be
-e ${panel} --month-rotate 1 --state-dir ${folder}/ca.pem
→ state failed: can't be written | move away what is there | --state-dir
# an address of metrics that is taken
-e ${panel} --metrics 127.0.0.1:${ports.good}
→ metrics failed: Address already in use | ss -ltnp
`).map((row) => rowOf(row, { ports, folder }));
}

function rowOf(row: ProblemText, { ports, folder }: Pick<World, "ports" | "folder">): Row {
  const portOf = (name: string) => ports[name.replaceAll("_", " ") as Site];
  const filled = (text = "") =>
    text.replace(/^trusting (\w+)/, `-e https:$1 --ca-cert ${folder}/ca.pem`)
      .replace(/\bhttp:([\w-]+)/g, (_, site) => `http://127.0.0.1:${portOf(site)}`)
      .replace(/\bhttps:([\w-]+)/g, (_, site) => `https://localhost:${portOf(site)}`);
  const args = filled(row.field("")).split(" ");
  const token = args.includes("-t") ? [] : ["-t", TOKEN];
  const [name, value = ""] = filled(row.field("env: ")).split("=");
  const through = row.field("through: ");
  return {
    ...row,
    args: [...args.at(-1) === "-t" ? args.slice(0, -1) : args, ...token],
    env: name ? { [name]: value } : {},
    through: through === "faketime"
      ? ["faketime", "400 days ago"]
      : through === "trusted"
      ? trusted(folder)
      : [],
  };
}

/** The command that starts another one on a system to which the authority of the sites was added. */
function trusted(folder: string): string[] {
  const line =
    'mkdir -p "$1/added" && cp "$1/ca.pem" "$1/added/own.crt" && mount --bind "$1/added" ' +
    '/usr/local/share/ca-certificates && shift && exec "$@"';
  return ["unshare", "-m", "sh", "-c", line, "sh", folder];
}

const here = unless(lack);

here.test("an agent trusts an authority that was added to the system", () =>
  inWorld(async ({ ports, folder, env }) => {
    const args = ["-e", `https://localhost:${ports.tls}`, "-t", TOKEN];
    await using agent = new AgentProcess(args, { env, through: trusted(folder) });
    await agent.says("First report accepted");
    await agent.stop();
    await using without = new AgentProcess(args, { env });
    await without.says("its issuer is unknown to this machine");
    await without.stop();
  }));

here.test("doctor names what is planted on the way to a panel", () =>
  inWorld(async (world) => {
    const diagnoses: Diagnosis[] = [];
    for (const row of rows(world)) {
      const args = ["doctor", ...row.args, "--json", "--install-service-name", "no-such"];
      const options = { env: { ...world.env, ...row.env }, through: row.through };
      diagnoses.push(
        await untilNamed(row, async () => {
          await using doctor = new AgentProcess(args, options);
          const { code } = await doctor.ends();
          return { code, output: doctor.output };
        }),
      );
    }
    printDiagnoses(diagnoses);
  }));
