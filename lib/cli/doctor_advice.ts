/**
 * Advice of `doctor` on the way to a panel: what to do about a cause.
 *
 * @module
 */

import type { Translation } from "../config/language.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { DialError } from "../net/errors.ts";
import { isHtml } from "../panel/http_exchange.ts";
import { truncate } from "../parse/bounded_text.ts";
import type { Proxy } from "../parse/proxy.ts";
import { urlHost } from "../parse/probe_target.ts";

/** The way to a panel. */
export interface Way {
  readonly url: URL;
  /** The proxy on it, if there is one. */
  readonly proxy: Proxy | undefined;
}

/** Whether a host is this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d+){3}$/.test(host);
}

/** Advice when a name can't be resolved. */
export function lookupAdvice({ url, proxy }: Way): Translation {
  if (proxy !== undefined) return proxyAdvice(url);
  if (isInContainerImage()) {
    return {
      en:
        "check the name; a container asks the name server of its network: --dns of docker run, or " +
        "--custom-dns HOST here",
      zh:
        "请检查域名；容器使用其网络的 DNS 服务器：docker run 的 --dns，或这里的 --custom-dns HOST",
    };
  }
  return {
    en: "check the name and the name servers; --custom-dns HOST asks another one",
    zh: "请检查域名和 DNS 服务器；--custom-dns HOST 可改用其他 DNS 服务器",
  };
}

/** Advice when no connection can be opened. */
export function connectAdvice(error: unknown, way: Way): Translation {
  const { url, proxy } = way;
  const { message, stage } = error instanceof DialError
    ? error
    : { message: String(error), stage: "connect" };
  if (stage === "proxy") return refusingProxyAdvice(message, way);
  if (proxy !== undefined) return proxyAdvice(url);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  if (isInContainerImage() && isLoopback(urlHost(url))) {
    return {
      en: "within a container this address is the container itself: give the panel's name or " +
        "address, or start the container with --network host",
      zh: "在容器里，这个地址是容器自己：请填写面板的域名或地址，或用 --network host 启动容器",
    };
  }
  if (/refused/.test(message)) {
    const own = isLoopback(urlHost(url))
      ? {
        en: "; in a container this address is the container itself",
        zh: "；在容器里，这个地址是容器自己",
      }
      : { en: "", zh: "" };
    return {
      en: `nothing listens on port ${port} there: start the panel, or correct the port in -e` +
        own.en,
      zh: `那里的端口 ${port} 没有程序在监听：请启动面板，或改正 -e 里的端口${own.zh}`,
    };
  }
  if (/network is unreachable/.test(message)) {
    return {
      en: "this machine has no route to that address: check its network and default route " +
        "(ip route)",
      zh: "本机没有到该地址的路由：请检查本机的网络和默认路由（ip route）",
    };
  }
  return {
    en: `check that the panel's machine runs, and that firewalls on the way let port ${port} pass`,
    zh: `请检查面板所在的机器是否在运行，以及途中的防火墙是否放行端口 ${port}`,
  };
}

/** The variables that name the proxy for a URL. */
function proxyVariables(url: URL): string {
  return `${url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY"}/ALL_PROXY`;
}

function proxyAdvice(url: URL): Translation {
  const [host, names] = [urlHost(url), proxyVariables(url)];
  return {
    en: `start the proxy, correct ${names}, or reach the panel without it: NO_PROXY=${host}`,
    zh: `请启动代理、改正 ${names}，或不经过代理访问面板：NO_PROXY=${host}`,
  };
}

/** A proxy that was reached and opens no way to the panel. */
function refusingProxyAdvice(message: string, { url }: Way): Translation {
  const [host, names] = [urlHost(url), proxyVariables(url)];
  if (/ 407\b|user or password/.test(message)) {
    return {
      en: `put the proxy's user and password into ${names}: http://USER:PASSWORD@HOST:PORT`,
      zh: `请把代理的用户名和密码写入 ${names}：http://USER:PASSWORD@HOST:PORT`,
    };
  }
  if (/ 403\b/.test(message)) {
    return {
      en: `have the proxy allow ${host}, or reach it without the proxy: NO_PROXY=${host}`,
      zh: `请让代理允许访问 ${host}，或不经过代理访问它：NO_PROXY=${host}`,
    };
  }
  if (/ 50[234]\b/.test(message)) {
    return {
      en: `the proxy can't reach ${host}: check the panel from the proxy, or use NO_PROXY=${host}`,
      zh: `代理无法访问 ${host}：请从代理那里检查面板，或使用 NO_PROXY=${host}`,
    };
  }
  return {
    en: `what ${names} names is a web server rather than a proxy: correct it, or NO_PROXY=${host}`,
    zh: `${names} 指定的是网页服务器而不是代理：请改正它，或使用 NO_PROXY=${host}`,
  };
}

/** Advice about a certificate, or about a server that speaks no TLS. */
export function tlsAdvice(message: string, { url }: Way): Translation {
  const host = urlHost(url);
  if (/does not speak TLS/.test(message)) {
    const plain = `http://${url.host}${url.pathname.replace(/\/$/, "")}`;
    return {
      en: `if the panel has no TLS: -e ${plain}; else give the port that speaks TLS`,
      zh: `如果面板没有 TLS：-e ${plain}；否则请填写使用 TLS 的端口`,
    };
  }
  if (/another name/.test(message)) {
    return {
      en: `use one of its names in -e, or give the panel a certificate for ${host}`,
      zh: `请在 -e 里使用证书中的某个名称，或为面板换一张包含 ${host} 的证书`,
    };
  }
  if (/expired|not valid yet/.test(message)) {
    return {
      en: "if this machine's date is wrong, set it (timedatectl set-ntp true); else renew the " +
        "panel's certificate",
      zh: "如果本机日期不对，请校准（timedatectl set-ntp true）；否则请更新面板的证书",
    };
  }
  if (/self-signed|issuer is unknown/.test(message)) {
    const port = url.port || "443";
    return {
      en:
        "trust the panel's own authority or certificate with --ca-cert FILE; this fetches what it " +
        `shows, to be compared there: openssl s_client -connect ${host}:${port} </dev/null | ` +
        "openssl x509 >FILE; if a known authority issued it, the panel's server lacks the " +
        "intermediate certificate: give it the full chain (fullchain.pem)",
      zh:
        "用 --ca-cert FILE 信任面板自己的证书颁发机构或证书；这样取得它出示的证书，请在面板那里核对：" +
        `openssl s_client -connect ${host}:${port} </dev/null | openssl x509 >FILE；` +
        "如果它由知名机构签发，则面板的服务器缺少中间证书：请为它配置完整的证书链（fullchain.pem）",
    };
  }
  if (/no answer within/.test(message)) {
    return {
      en: "no TLS is spoken there, or large packets are lost on the way: try a smaller MTU " +
        "(ip link set dev INTERFACE mtu 1280)",
      zh: "那里可能不使用 TLS，或者大的数据包在途中丢失：请试用较小的 MTU" +
        "（ip link set dev INTERFACE mtu 1280）",
    };
  }
  return {
    en: "check the TLS settings of the panel or of the proxy in front of it",
    zh: "请检查面板或其前面的代理的 TLS 设置",
  };
}

/** An answer that is no panel's. */
export interface ForeignAnswer {
  readonly status: number;
  readonly text: string;
  /** Whether it asks for a password, by its header. */
  readonly asksForPassword: boolean;
  /** Where it redirects to, as it says; `undefined` where it does not. */
  readonly location?: string | undefined;
}

/** Whether something in front of a panel asks for a password; a panel refuses a token in JSON. */
export function isPasswordWall({ status, text, asksForPassword }: ForeignAnswer): boolean {
  return status === 401 && (asksForPassword || isHtml(text));
}

/** Longer addresses of a redirect are cut. */
const MAX_ADDRESS_LENGTH = 200;

/** The panel's address by a redirect of one of its calls; `undefined` for a login page, or a loop. */
function movedTo(location: string, url: URL): string | undefined {
  if (!URL.canParse(location, url)) return undefined;
  const { origin, pathname } = new URL(location, url);
  const end = pathname.indexOf("/api/clients/");
  const address = origin + pathname.slice(0, Math.max(0, end));
  return end === -1 || address === url.href.replace(/\/$/, "") ? undefined : address;
}

/** Advice when something else than a panel answers. */
export function answerAdvice(answer: ForeignAnswer, { url, proxy }: Way): Translation {
  const { status, text, location = "" } = answer;
  const moved = status >= 300 && status < 400 ? movedTo(location, url) : undefined;
  if (moved !== undefined) {
    const address = truncate(moved, MAX_ADDRESS_LENGTH);
    return {
      en: `the panel's address is another one: use -e ${address}`,
      zh: `面板的地址不是这个：请使用 -e ${address}`,
    };
  }
  if (isPasswordWall(answer)) {
    return {
      en: "let /api/clients/ pass without the password, or send it with --header " +
        "'Authorization: Basic …'; the token is not the cause",
      zh:
        "请让 /api/clients/ 不需要密码即可访问，或用 --header 'Authorization: Basic …' 发送密码；" +
        "原因不在令牌",
    };
  }
  if (/sent to HTTPS port|HTTP request to an HTTPS server/i.test(text)) {
    return { en: `use https://${url.host}`, zh: `请使用 https://${url.host}` };
  }
  if (/install mode/.test(text)) {
    return {
      en: `the panel is not set up yet: open ${url.origin} in a browser`,
      zh: `面板尚未完成安装：请在浏览器中打开 ${url.origin}`,
    };
  }
  if (proxy !== undefined && status !== 403 && status < 500) {
    return refusingProxyAdvice("", { url, proxy });
  }
  if (status === 413) {
    return {
      en:
        "let the proxy in front of the panel take larger requests (nginx: client_max_body_size 1m)",
      zh: "请让面板前面的代理接受更大的请求（nginx：client_max_body_size 1m）",
    };
  }
  if ([502, 503, 504].includes(status)) {
    return {
      en: "the proxy in front of the panel works, and the panel behind it is down or overloaded: " +
        "start the panel there",
      zh: "面板前面的代理正常，但它后面的面板没有运行或负载过高：请在那里启动面板",
    };
  }
  if ([403, 405, 429].includes(status)) {
    return {
      en: "a firewall in front of the panel refuses this: let /api/clients/ pass",
      zh: "面板前面的防火墙拒绝了请求：请放行 /api/clients/",
    };
  }
  return {
    en: "check the address and its path in -e, and the proxy in front of the panel",
    zh: "请检查 -e 里的地址及其路径，以及面板前面的代理",
  };
}

/** Advice when the clocks of this machine and of the panel differ. */
export function clockAdvice(): Translation {
  if (isInContainerImage()) {
    return {
      en: "set the clock of the machine that runs the container, or that of the panel",
      zh: "请校准运行容器的机器或面板的时钟",
    };
  }
  return {
    en: "set the wrong one of both by NTP, for example: timedatectl set-ntp true",
    zh: "请用 NTP 校准其中不准的一个，例如：timedatectl set-ntp true",
  };
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A difference of clocks in words: `42 s`, `15 min`, `3 h`, `400 days`. */
export function clockDifference(ms: number): Translation {
  const absolute = Math.abs(ms);
  const units: readonly (readonly [least: number, unit: number, en: string, zh: string])[] = [
    [2 * DAY_MS, DAY_MS, "days", "天"],
    [2 * HOUR_MS, HOUR_MS, "h", "小时"],
    [10 * MINUTE_MS, MINUTE_MS, "min", "分钟"],
  ];
  const [, unit, en, zh] = units.find(([least]) => absolute >= least) ?? [0, SECOND_MS, "s", "秒"];
  const count = Math.round(absolute / unit);
  return { en: `${count} ${en}`, zh: `${count} ${zh}` };
}
