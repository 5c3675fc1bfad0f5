/**
 * Who tells a caller its public address, by the family that the service is reached over.
 *
 * All answer in plain text over HTTPS. Different operators come first, one of them near to callers
 * in China, so that a single one that is down or blocked costs no time.
 */
export const ADDRESS_SERVICES = {
  ipv4: [
    "https://1.1.1.1/cdn-cgi/trace",
    "https://4.ipw.cn",
    "https://api-ipv4.ip.sb/ip",
    "https://ipv4.icanhazip.com",
    "https://api.ipify.org",
    "https://checkip.amazonaws.com",
  ],
  ipv6: [
    "https://[2606:4700:4700::1111]/cdn-cgi/trace",
    "https://6.ipw.cn",
    "https://api-ipv6.ip.sb/ip",
    "https://ipv6.icanhazip.com",
    "https://api6.ipify.org",
    "https://v6.ident.me",
  ],
} as const;
