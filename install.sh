#!/bin/sh
# Downloads komari-agent-deno, verifies it, and runs its `install`.
set -eu

# The build stamps these: the repository of the releases, as owner/name on GitHub,
REPOSITORY=''
# and the public key that they are signed with.
PUBLIC_KEY=''

NAME=komari-agent-deno
# Smaller than any build of its kind, and larger than any error page.
SMALLEST_BINARY=1048576
SMALLEST_PORTABLE=65536
# Larger than any list of checksums, any signature, and any build whose size the list does not state.
LARGEST_LIST=65536
LARGEST_SIGNATURE=1024
LARGEST_BINARY=536870912

usage() {
  if is_chinese; then
    cat <<'TEXT'
下载 komari-agent-deno，校验后安装为服务。

用法：
  sh install.sh [此脚本的选项] [Agent 的选项]
  sh install.sh -e https://panel.example.com --token-file FILE
  sh install.sh -e https://panel.example.com -t TOKEN
  sh install.sh -e https://panel.example.com --auto-discovery KEY

此脚本的选项：
  --install-version V          安装该版本而不是最新版本；之后从该版本继续更新
  --pin                        固定在安装的版本，不再更新
  --mirror PREFIX              加在每个 GitHub 地址之前，更新时也是如此
  --install-ghproxy PREFIX     同上，官方脚本的名称
  --install-no-mirror          无作用：不指定镜像就不使用
  --portable                   用于已安装的 Deno 的构建，例如在 Alpine 上
  --token-file -               从标准输入读取令牌
  -h, --help                   显示此帮助

其他选项都交给 `komari-agent-deno install`，例如 --install-dir FOLDER、
--install-service-name NAME、--replace、--as-root、--print，以及 Agent 的全部选项。
不以 root 运行时，安装为该用户的服务。

环境变量：
  KOMARI_AGENT_REPOSITORY      发布所在的 GitHub 仓库，写作 owner/name
  KOMARI_AGENT_PUBLIC_KEY      这些发布所用签名的公钥
  DENO                         运行便携版的 Deno
TEXT
    return
  fi
  cat <<'TEXT'
Downloads komari-agent-deno, verifies it, and installs it as a service.

Usage:
  sh install.sh [options of this script] [options of the agent]
  sh install.sh -e https://panel.example.com --token-file FILE
  sh install.sh -e https://panel.example.com -t TOKEN
  sh install.sh -e https://panel.example.com --auto-discovery KEY

Options of this script:
  --install-version V          that version instead of the latest; updates go on from it
  --pin                        stay at the version that is installed, without updates
  --mirror PREFIX              put before every GitHub address, for updates too
  --install-ghproxy PREFIX     the same, by the official script's name
  --install-no-mirror          no effect: without a name there is no mirror
  --portable                   the build for an installed Deno, as on Alpine
  --token-file -               read the token from standard input
  -h, --help                   show this help

All other options go to `komari-agent-deno install`, such as --install-dir FOLDER,
--install-service-name NAME, --replace, --as-root, --print, and every option of the agent.
Without root, it becomes a service of the user.

Environment:
  KOMARI_AGENT_REPOSITORY      repository of the releases, as owner/name on GitHub
  KOMARI_AGENT_PUBLIC_KEY      public key that these releases are signed with
  DENO                         the Deno that runs a portable build
TEXT
}

# Whether the reader's language is Chinese, as for the agent.
is_chinese() {
  case ${AGENT_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}} in zh[A-Za-z]*) return 1 ;; zh*) has sed ;; *) return 1 ;; esac
}

# Puts the English of standard input into Chinese, line by line.
chinese() {
  sed '
    s|^Cannot install on \(.*\): there are builds for Linux and macOS$|无法在 \1 上安装：只有 Linux 和 macOS 的构建|
    s|^Cannot install on a \(.*\) processor: there are builds for x86_64 and aarch64$|无法在 \1 处理器上安装：只有 x86_64 和 aarch64 的构建|
    s|^Cannot install on a 32-bit system, even with a 64-bit kernel: .*$|无法在 32 位系统上安装，即使内核是 64 位：只有 64 位的构建|
    s|^Cannot install here: this system.s C library is musl, .*$|无法在此安装：此系统的 C 库是 musl（例如 Alpine），而构建需要 glibc；请安装 Deno（Alpine：apk add deno），再以 --portable 运行此脚本|
    s|^Cannot install here: this system.s C library is \(.*\), as on CentOS 7, .*$|无法在此安装：此系统的 C 库是 \1（例如 CentOS 7），而构建需要 glibc 2.27 或更高版本；请改用容器镜像或更新的系统|
    s|^Cannot install the portable build: it needs Deno, and \(.*\) was not found .*$|无法安装便携版：它需要 Deno，而找不到 \1（Alpine：apk add deno；其他系统见 https://deno.com）；可用环境变量 DENO 指定|
    s|^Cannot find a temporary folder that allows running programs; \(.*\) can name one$|找不到允许运行程序的临时目录；可用 \1 指定|
    s|^Cannot download \(.*\): this wget doesn.t show redirects, which could leave HTTPS; install curl$|无法下载 \1：此 wget 不显示重定向，可能离开 HTTPS；请安装 curl|
    s|^Cannot download \(.*\): it redirects to \(.*\), and only HTTPS is allowed$|无法下载 \1：它重定向到 \2，而只允许 HTTPS|
    s|^Cannot download \(.*\): this wget checks no certificates; install curl or openssl$|无法下载 \1：此 wget 不校验证书；请安装 curl 或 openssl|
    s|^Cannot download: there is neither curl nor wget$|无法下载：没有 curl，也没有 wget|
    s|^Cannot download: the repository is unknown; set \(.*\)$|无法下载：仓库未知；请设置 \1|
    s|^Cannot download \(.*\): \(.*\); where GitHub can.t be reached, name a mirror of it that you trust: \(.*\)$|无法下载 \1：\2；如果无法访问 GitHub，请指定你信任的镜像：\3|
    s|^Cannot download \([^ ]*\): \(.*\); is the mirror right? without --mirror, .*$|无法下载 \1：\2；镜像地址对吗？不加 --mirror 则直接从 GitHub 下载|
    s|^Cannot download \([^ ]*\): \(.*\)$|无法下载 \1：\2|
    s|^Cannot use \(.*\): it has more than \(.*\) bytes$|无法使用 \1：它超过 \2 字节|
    s|^Cannot use \(.*\): the answer is an HTML page; is the mirror right?$|无法使用 \1：响应是 HTML 页面；镜像地址对吗？|
    s|^Cannot use \(.*\): it has only \(.*\) bytes$|无法使用 \1：它只有 \2 字节|
    s|^Cannot use \(.*\): it is not a program for this system$|无法使用 \1：它不是此系统的程序|
    s|^Cannot use \(.*\): its SHA-256 is \(.*\), and should be \(.*\)$|无法使用 \1：它的 SHA-256 是 \2，应为 \3|
    s|^Cannot use \(.*\): it is not signed with the key of \(.*\)$|无法使用 \1：它不是用 \2 的密钥签名的|
    s|^Cannot use mirror \(.*\): plain HTTP is refused; use https://$|无法使用镜像 \1：不接受不加密的 HTTP；请使用 https://|
    s|^Cannot use \(.*\) alone: a value must follow it$|不能单独使用 \1：后面必须有值|
    s|^Cannot use version \(.*\): allowed is one such as 1.2.3$|无法使用版本 \1：允许的形式如 1.2.3|
    s|^Cannot verify the download: there is neither sha256sum nor shasum nor openssl$|无法校验下载的文件：没有 sha256sum、shasum 或 openssl|
    s|^Cannot verify \(.*\): SHA256SUMS does not list it$|无法校验 \1：SHA256SUMS 中没有它|
    s|^Cannot install version \(.*\): the downloaded program is version \(.*\)$|无法安装版本 \1：下载的程序是版本 \2|
    s|^Cannot install version \(.*\): \(.*\) is installed, and does not run, so .*; \(.*\) installs it anyway$|无法安装版本 \1：已安装的 \2 无法运行，可能比它更新；\3 可强制安装|
    s|^Cannot install version \(.*\): it is a pre-release; \(.*\) installs it anyway$|无法安装版本 \1：它是预发布版本；\2 可强制安装|
    s|^Cannot install version \(.*\): the newer version \(.*\) is installed; \(.*\) installs it anyway$|无法安装版本 \1：已安装更新的版本 \2；\3 可强制安装|
    s|^Cannot run the program here: \(.*\)$|无法在此运行程序：\1|
    s|^Cannot read the token from standard input, which this script comes from$|无法从标准输入读取令牌：此脚本正来自标准输入|
    s|^Cannot read the token: there is none$|无法读取令牌：没有内容|
    s|^Cannot install: no panel is given; \(.*\) names it, and \(.*\) asks for its token$|无法安装：没有指定面板；用 \1 指定面板，\2 会询问令牌|
    s|^No panel is given: \(.*\) is installed, so .*$|没有指定面板：\1 已安装，因此只更新它，面板和选项保持不变|
    s|^Comparing checksums only: this script has no public key of \(.*\)$|只比较校验和：此脚本没有 \1 的公钥|
    s|^Comparing checksums only: verifying the signature takes openssl 3$|只比较校验和：验证签名需要 openssl 3|
    s|^Downloading \(.*\)$|正在下载 \1|
    s|^Verified \(.*\)$|已校验 \1|
    s|^\(.*\) has no effect: unknown option$|\1 不起作用：未知的选项|
    s|^There are no signed snapshots: the latest release is installed instead$|没有签名的快照版本：改为安装最新的发布版|
    s|^\(.*\) is pinned to version \(.*\), which stays; \(.*\) V installs another, and \(.*\) goes on to newer ones$|\1 固定在版本 \2，保持不变；\3 V 安装其他版本，\4 恢复更新|
    s|^\(.*\) was pinned to version \(.*\), and is pinned to version \(.*\) now$|\1 原来固定在版本 \2，现在固定在版本 \3|
    s|^Automatic updates go on from version \(.*\) to newer ones; \(.*\) keeps it$|自动更新会从版本 \1 继续升级；\2 可固定在该版本|
  '
}

show() {
  if is_chinese; then printf '%s\n' "$*" | chinese; else printf '%s\n' "$*"; fi
}

say() {
  show "$*"
}

fail() {
  show "$*" >&2
  exit 1
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Prints the target of this machine, such as linux-amd64.
find_target() {
  system=$(uname -s)
  machine=$(uname -m)
  case $system in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) fail "Cannot install on $system: there are builds for Linux and macOS" ;;
  esac
  case $machine in
    x86_64 | amd64) machine=amd64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) fail "Cannot install on a $machine processor: there are builds for x86_64 and aarch64" ;;
  esac
  # Some boards run a 64-bit kernel with 32-bit programs.
  if [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 32 ]; then
    fail "Cannot install on a 32-bit system, even with a 64-bit kernel: there are builds for 64 bits only"
  fi
  printf '%s\n' "$system-$machine"
}

# Prints "musl", "glibc 2.36", or nothing when unknown.
find_libc() {
  libc=$(ldd --version 2>&1 || :)
  case $libc in
    *musl*)
      echo musl
      return
      ;;
    *GLIBC* | *GNU\ libc*)
      libc=${libc%%
*}
      printf '%s\n' "glibc ${libc##* }"
      return
      ;;
  esac
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || :)
  case $libc in
    glibc\ *)
      printf '%s\n' "$libc"
      return
      ;;
  esac
  for loader in /lib/ld-musl-*; do
    if [ -e "$loader" ]; then echo musl; fi
    return
  done
}

check_libc() {
  libc=$(find_libc)
  case $libc in
    musl)
      fail "Cannot install here: this system's C library is musl, as on Alpine, and" \
        "the builds need glibc; install Deno instead (on Alpine: apk add deno) and run this script" \
        "with --portable"
      ;;
    glibc\ [0-9]*.[0-9]*)
      major=${libc#glibc }
      minor=${major#*.}
      major=${major%%.*}
      minor=${minor%%[!0-9]*}
      case $major$minor in *[!0-9]*) return ;; esac
      if [ "$major" -lt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -lt 27 ]; }; then
        fail "Cannot install here: this system's C library is $libc, as on CentOS 7, and the builds" \
          "need glibc 2.27 or newer; run the container image instead, or a newer system"
      fi
      ;;
  esac
}

check_deno() {
  if has "${DENO:-deno}"; then return; fi
  fail "Cannot install the portable build: it needs Deno, and ${DENO:-deno} was not found" \
    "(on Alpine: apk add deno; elsewhere see https://deno.com); \$DENO can name one"
}

# is_own PATH: whether it is root's or the caller's own, and nobody else can have changed it.
is_own() {
  # shellcheck disable=SC2046 # The first three words: mode, links, owner.
  set -- "$1" $(ls -Lldn -- "$1" 2>/dev/null)
  # In a sticky folder everybody changes his own files only.
  case ${2:-} in d*[tT]*) ;; ?????w* | ????????w*) return 1 ;; esac
  [ "${4:-}" = 0 ] || [ -O "$1" ]
}

# are_own PATH: whether it, a full path without links, and each folder above it are such.
are_own() {
  case $1 in [!/]*) return 1 ;; esac
  above=$1
  while is_own "${above:=/}"; do
    [ "$above" != / ] || return 0
    above=${above%/*}
  done
  return 1
}

# own PATH OTHER: the path, or the other where somebody else could change it. Settings of curl and wget can name
# files to write and programs to start; "sudo -E" keeps another user's HOME, and "su" his CURL_HOME and WGETRC.
own() {
  if [ ! -k "$1" ] && are_own "$1"; then printf '%s\n' "$1"; else printf '%s\n' "$2"; fi
}

# Makes a temporary folder that allows running programs, which some systems forbid in /tmp, where no
# other user can put one in its place: "sudo -E" keeps the TMPDIR of who calls it. Sets $folder.
make_folder() {
  for parent in "${TMPDIR:-/tmp}" /var/tmp "${HOME:-/}"; do
    # Where a link leads now: its owner could turn it later.
    parent=$(CDPATH='' cd -P -- "$parent" 2>/dev/null && pwd -P) || continue
    are_own "$parent" || continue
    folder=$(mktemp -d "$parent/$NAME.XXXXXX" 2>/dev/null) || continue
    printf '#!/bin/sh\n' >"$folder/try"
    chmod +x "$folder/try"
    if "$folder/try" 2>/dev/null; then return; fi
    rm -rf "$folder"
  done
  folder=
  fail "Cannot find a temporary folder that allows running programs; \$TMPDIR can name one"
}

# is_loopback URL: whether it is plain HTTP to this machine.
is_loopback() {
  host=${1#http://}
  host=${host%%/*}
  case $1 in http://*) ;; *) return 1 ;; esac
  # No user, which could look like a host.
  case $host in *[!0-9A-Za-z.:-]*) return 1 ;; esac
  host=${host%%:*}
  case $host in
    localhost) ;;
    127.*[!0-9.]*) return 1 ;;
    127.*) ;;
    *) return 1 ;;
  esac
}

# is_safe URL: whether wget may load it: by HTTPS, or from this machine where the mirror is there.
is_safe() {
  case $1 in *' '*) return 1 ;; https://*) return ;; esac
  [ "$protocols" != https ] && is_loopback "$1"
}

# Prints the targets of the redirects in wget's log; fails when it shows no response at all.
read_redirects() {
  shown=1
  while read -r field value; do
    case $field in
      HTTP/*) shown=0 ;;
      [Ll][Oo][Cc][Aa][Tt][Ii][Oo][Nn]:)
        printf '%s\n' "${value% \[following\]}" | LC_ALL=C tr -cd '\012\040-\176'
        ;;
    esac
  done <"$folder/log"
  return "$shown"
}

# at_most BYTES COMMAND…: runs a command that can write no larger files.
at_most() (
  # In blocks of 512 bytes, or 1024 in some shells; a lower limit stays.
  ulimit -f $(($1 / 512 + 1)) 2>/dev/null || :
  # SIGXFSZ: the program fails, and is not killed.
  trap '' XFSZ
  shift
  exec "$@"
)

# fetch_by_wget URL FILE BYTES: wget would follow a redirect from HTTPS to HTTP. GNU's is made to follow
# none, and each is checked before it is followed; BusyBox's can't be, so what it loaded is refused.
fetch_by_wget() {
  at=$1
  # BusyBox has no such options, or crashes on a time-out.
  options=
  if wget --version >/dev/null 2>&1; then options='--timeout=30 --dns-timeout=15 --connect-timeout=15 --tries=2 --max-redirect=0'; fi
  for _ in 1 2 3 4 5 6; do
    loaded=true
    # shellcheck disable=SC2086 # these are several words, or none
    at_most "$3" env LC_ALL=C HOME="$(own "${HOME:-}" /)" WGETRC="$(own "${WGETRC:-}" '')" wget $options -S -O "$2" "$at" >"$folder/log" 2>&1 || loaded=false
    if grep -q 'certificate validation not implemented' "$folder/log"; then
      fail "Cannot download $1: this wget checks no certificates; install curl or openssl"
    fi
    if ! redirects=$(read_redirects); then
      if [ "$loaded" = true ] || grep -q -e 'invalid option' -e 'unrecognized option' "$folder/log"; then
        fail "Cannot download $1: this wget doesn't show redirects, which could leave HTTPS; install curl"
      fi
      return 1
    fi
    while read -r hop; do
      case $hop in
        '') continue ;;
        //*) hop=${at%%//*}$hop ;;
        /*)
          authority=${at#*://}
          hop=${at%%//*}//${authority%%/*}$hop
          ;;
      esac
      if ! is_safe "$hop"; then
        fail "Cannot download $1: it redirects to ${hop%% *}, and only HTTPS is allowed"
      fi
      at=$hop
    done <<TEXT
$redirects
TEXT
    if [ "$loaded" = true ]; then return; fi
    if [ -z "$options" ] || [ -z "$redirects" ]; then return 1; fi
  done
  return 1
}

# fetch URL FILE BYTES: downloads to a file of at most so many bytes.
fetch() {
  loaded=true
  if has curl; then
    # A redirect must not leave HTTPS.
    at_most "$3" env HOME="$(own "${HOME:-}" /)" CURL_HOME="$(own "${CURL_HOME:-}" '')" \
      XDG_CONFIG_HOME="$(own "${XDG_CONFIG_HOME:-}" '')" curl -fsSL --proto "=$protocols" --connect-timeout 15 --speed-limit 1 --speed-time 30 --max-time 1800 \
      --retry 2 --retry-max-time 15 \
      -o "$2" "$1" 2>"$folder/log" || loaded=false
  elif has wget; then
    fetch_by_wget "$1" "$2" "$3" || loaded=false
  else
    fail "Cannot download: there is neither curl nor wget"
  fi
  if [ -e "$2" ] && [ "$(($(wc -c <"$2")))" -gt "$3" ]; then
    fail "Cannot use $1: it has more than $3 bytes"
  fi
  if [ "$loaded" = true ]; then return; fi
  # Without what could control a terminal.
  reason=$(grep -v '^[[:space:]]*$' "$folder/log" | tail -n 1 | LC_ALL=C tr -cd '\040-\176')
  # Once a server has answered, what wget prints can be the server's words.
  while read -r field value _; do
    case $field-$value in
      HTTP/*-2??) reason="wget failed after the server's answer $value" ;;
      HTTP/*-3??) reason="wget can't load what the server redirects to" ;;
      HTTP/*-[1-9][0-9][0-9]) reason="the server answered $value" ;;
    esac
  done <"$folder/log"
  if grep -q 'No space left on device' "$folder/log"; then reason='No space left on device'; fi
  if [ -n "$mirror" ]; then
    fail "Cannot download $1: $reason; is the mirror right? without --mirror, GitHub itself is asked"
  fi
  case $1-$reason in
    *'(22)'* | *' answered '*) ;;
    https://github.com/*)
      reason="$reason; where GitHub can't be reached, name a mirror of it that you trust: --mirror https://…"
      ;;
  esac
  fail "Cannot download $1: $reason"
}

is_page() {
  dd if="$1" bs=512 count=1 2>/dev/null | LC_ALL=C grep -qi -e '<!doctype' -e '<html'
}

# Prints the SHA-256 of a file.
sha256_of() {
  if has sha256sum; then
    sum=$(sha256sum <"$1")
  elif has shasum; then
    sum=$(shasum -a 256 <"$1")
  elif has openssl; then
    sum=$(openssl dgst -sha256 -r <"$1")
  else
    fail "Cannot verify the download: there is neither sha256sum nor shasum nor openssl"
  fi
  printf '%s\n' "${sum%% *}"
}

# Prints the sum of a file in SHA256SUMS; nothing when it is not listed.
expected_sum() {
  while read -r sum name; do
    # The terminal shows it.
    case $sum in *[!0-9a-f]*) continue ;; esac
    case $name in "$1" | "*$1")
      printf '%s\n' "$sum"
      return
      ;;
    esac
  done <"$folder/SHA256SUMS"
}

# largest_size NAME: prints the size that SHA256SUMS states for a file, or what no build exceeds.
largest_size() {
  largest=$LARGEST_BINARY
  while read -r line; do
    case $line in "#size="*":$1")
      bytes=${line#"#size="}
      bytes=${bytes%":$1"}
      case $bytes in '' | *[!0-9]* | ??????????*) ;; *) largest=$bytes ;; esac
      ;;
    esac
  done <"$folder/SHA256SUMS"
  printf '%s\n' "$largest"
}

# is_program TARGET FILE: whether a file begins like a program for the target.
is_program() {
  case $1 in
    portable) [ "$(dd if="$2" bs=1 count=9 2>/dev/null)" = '#!/bin/sh' ] ;;
    linux-*) [ "$(dd if="$2" bs=1 skip=1 count=3 2>/dev/null)" = ELF ] ;;
    darwin-*) [ "$(dd if="$2" bs=1 count=4 2>/dev/null | od -An -tx1 | tr -d ' \n')" = cffaedfe ] ;;
  esac
}

# check_file TARGET FILE URL
check_file() {
  if is_page "$2"; then
    fail "Cannot use $3: the answer is an HTML page; is the mirror right?"
  fi
  smallest=$SMALLEST_BINARY
  if [ "$1" = portable ]; then smallest=$SMALLEST_PORTABLE; fi
  size=$(($(wc -c <"$2")))
  if [ "$size" -lt "$smallest" ]; then
    fail "Cannot use $3: it has only $size bytes"
  fi
  if ! is_program "$1" "$2"; then fail "Cannot use $3: it is not a program for this system"; fi
  expected=$(expected_sum "$NAME-$1")
  if [ -z "$expected" ]; then
    fail "Cannot verify $3: SHA256SUMS does not list it"
  fi
  found=$(sha256_of "$2")
  if [ "$found" != "$expected" ]; then
    fail "Cannot use $3: its SHA-256 is $found, and should be $expected"
  fi
}

# verify KEY SIGNATURE FILE: whether a file was signed with an Ed25519 key; both are in Base64.
verify() {
  printf '%s\n' '-----BEGIN PUBLIC KEY-----' "$1" '-----END PUBLIC KEY-----' >"$folder/key"
  printf '%s\n' "$2" | openssl base64 -d -A >"$folder/signature" 2>/dev/null || return 1
  openssl pkeyutl -verify -pubin -inkey "$folder/key" -rawin -in "$3" \
    -sigfile "$folder/signature" >/dev/null 2>&1
}

# Whether this machine's openssl supports Ed25519, by the second test of RFC 8032: those before 3.0
# and most of LibreSSL don't.
can_verify() {
  has openssl || return 1
  printf r >"$folder/text"
  verify MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw= \
    kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA== \
    "$folder/text"
}

# check_sums URL: verifies the signature of SHA256SUMS, which was downloaded from there.
check_sums() {
  if is_page "$folder/SHA256SUMS"; then
    fail "Cannot use $1: the answer is an HTML page; is the mirror right?"
  fi
  if [ -z "$public_key" ]; then
    say "Comparing checksums only: this script has no public key of $repository"
    return
  fi
  if ! can_verify; then
    say "Comparing checksums only: verifying the signature takes openssl 3"
    return
  fi
  fetch "$1.sig" "$folder/SHA256SUMS.sig" "$LARGEST_SIGNATURE"
  IFS= read -r signature <"$folder/SHA256SUMS.sig" || :
  if ! verify "$public_key" "$signature" "$folder/SHA256SUMS"; then
    fail "Cannot use $1: it is not signed with the key of $repository"
  fi
}

# is_older A B: whether version A precedes B, by their numbers.
is_older() {
  one=${1%%[!0-9.]*}.0.0.
  other=${2%%[!0-9.]*}.0.0.
  for _ in 1 2 3; do
    if [ "${one%%.*}" -lt "${other%%.*}" ]; then return 0; fi
    if [ "${one%%.*}" -gt "${other%%.*}" ]; then return 1; fi
    one=${one#*.}
    other=${other#*.}
  done
  return 1
}

# find_record NAME: prints the path of an installed service's record; fails when there is none.
find_record() {
  for record in "/etc/$1/install.json" "${HOME:-}/.config/$1/install.json"; do
    if [ ! -r "$record" ] || ! are_own "$record"; then continue; fi
    printf '%s\n' "$record"
    return
  done
  return 1
}

# recorded NAME KEY: prints a text from an installed service's record; nothing where there is none.
recorded() {
  record=$(find_record "$1") || return 0
  while read -r key value; do
    [ "$key" = "\"$2\":" ] || continue
    value=${value%,}
    value=${value#\"}
    printf '%s\n' "${value%\"}"
  done <"$record"
}

# pinned_version NAME: prints the version that an installed service keeps by --pin; nothing else.
pinned_version() {
  value=$(recorded "$1" pinned)
  case $value in '' | *[!0-9A-Za-z.+-]*) ;; *) printf '%s\n' "$value" ;; esac
}

# version_in TEXT: prints the version in the output of `komari-agent-deno version`.
version_in() {
  version_text=${1#"$NAME" }
  printf '%s\n' "${version_text%% *}"
}

# check_version TEXT: refuses a release that is not the version asked for, or older than what is
# installed, since a mirror could serve any release that was ever signed.
check_version() {
  new=$(version_in "$1")
  if [ "$version" != latest ]; then
    if [ "$new" = "$version" ]; then return; fi
    fail "Cannot install version $version: the downloaded program is version $new"
  fi
  case ${new%%+*} in
    *-*) fail "Cannot install version $new: it is a pre-release; --install-version $new installs it anyway" ;;
  esac
  # The command need not be on the path.
  installed=$(recorded "$service" program)
  if ! text=$("${installed:-$NAME}" version 2>/dev/null </dev/null); then
    if [ -z "$installed" ] || [ ! -e "$installed" ]; then return; fi
    fail "Cannot install version $new: $installed is installed, and does not run, so it may be newer;" \
      "--install-version $new installs it anyway"
  fi
  old=$(version_in "$text")
  case $old in [0-9]*.[0-9]*.[0-9]*) ;; *) return ;; esac
  if is_older "$new" "$old"; then
    fail "Cannot install version $new: the newer version $old is installed;" \
      "--install-version $new installs it anyway"
  fi
}

# Downloads and verifies the build, and checks that it starts here. Sets $program.
download() {
  if [ "$version" = latest ]; then
    base=https://github.com/$repository/releases/latest/download
  else
    base=https://github.com/$repository/releases/download/v$version
  fi
  if [ -n "$mirror" ]; then base=$mirror/$base; fi
  program=$folder/$NAME
  url=$base/$NAME-$target
  say "Downloading $url"
  fetch "$base/SHA256SUMS" "$folder/SHA256SUMS" "$LARGEST_LIST"
  check_sums "$base/SHA256SUMS"
  fetch "$url" "$program" "$(largest_size "$NAME-$target")"
  check_file "$target" "$program" "$url"
  chmod 755 "$program"
  if ! text=$("$program" version 2>&1 </dev/null); then fail "Cannot run the program here: $text"; fi
  say "Verified $text"
  check_version "$text"
}

# Prints a mirror's prefix without trailing slashes and GitHub's address, which follows it.
plain_mirror() {
  prefix=$1
  while :; do
    case $prefix in
      */https://github.com) prefix=${prefix%/https://github.com} ;;
      */http://github.com) prefix=${prefix%/http://github.com} ;;
      https://github.com | http://github.com) prefix= ;;
      */) prefix=${prefix%/} ;;
      *) break ;;
    esac
  done
  case $prefix in
    '' | https://*) ;;
    http://*)
      if ! is_loopback "$prefix"; then
        fail "Cannot use mirror $prefix: plain HTTP is refused; use https://"
      fi
      ;;
    *) prefix=https://$prefix ;;
  esac
  printf '%s\n' "$prefix"
}

# Whether the shell was given this script as a file. Piped, or behind -c, $0 is the shell's own name or
# any word, and a file of that name in the current folder is anybody's.
is_file() {
  case $- in *s* | *c*) return 1 ;; esac
  case ${0##*/} in sh | bash | dash | ash | ksh | zsh | busybox) return 1 ;; esac
  [ -f "$0" ] && grep -q "^NAME=$NAME\$" "$0" || return 1
  [ -d "/proc/$$/fd" ] || return 0
  # dash does not tell -c: a script that it reads is open.
  for opened in "/proc/$$/fd/"*; do
    # shellcheck disable=SC3013 # Every shell that there is has -ef.
    if [ "$opened" -ef "$0" ]; then return; fi
  done
  return 1
}

# Sets AGENT_TOKEN from standard input; at a terminal it is not shown.
read_token() {
  if ! is_file; then fail "Cannot read the token from standard input, which this script comes from"; fi
  if [ -t 0 ]; then
    if is_chinese; then printf '令牌：' >&2; else printf 'Token: ' >&2; fi
    stty -echo
    trap 'stty echo' EXIT
    trap 'exit 130' INT
  fi
  IFS= read -r AGENT_TOKEN || [ -n "$AGENT_TOKEN" ] || fail "Cannot read the token: there is none"
  if [ -t 0 ]; then
    stty echo
    trap - EXIT INT
    echo >&2
  fi
  export AGENT_TOKEN
}

main() {
  # They can name programs to start and files to write, too.
  unset OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES SSLKEYLOGFILE SYSTEM_WGETRC SYSTEM_WGET2RC WGET2RC \
    WGET2_PLUGINS WGET2_PLUGIN_DIRS BASH_ENV ENV PERL5OPT PERL5LIB NODE_OPTIONS DENO_COVERAGE_DIR DENO_AUDIT_PERMISSIONS
  version=latest
  has_secret=false
  panel_given=false
  service=$NAME
  pin_given=false
  mirror=
  target=
  folder=
  # The agent's options go to the end of the list, so that nothing has to be quoted again.
  rest=$#
  while [ "$rest" -gt 0 ]; do
    word=$1
    shift
    rest=$((rest - 1))
    case $word in
      --install-version | --install-ghproxy | --mirror | -t | --token | --token-file | --auto-discovery)
        if [ "$rest" -eq 0 ]; then fail "Cannot use $word alone: a value must follow it"; fi
        value=$1
        shift
        rest=$((rest - 1))
        ;;
      -t=* | --token=* | --token-file=* | --auto-discovery=* | --install-version=* | --install-ghproxy=* | --mirror=*)
        value=${word#*=}
        ;;
      -t?*) value=${word#-t} ;;
    esac
    case $word in
      -h | --help)
        usage
        exit 0
        ;;
      --portable) target=portable ;;
      --install-version | --install-version=*) version=${value#v} ;;
      --install-ghproxy | --install-ghproxy=* | --mirror | --mirror=*)
        mirror=$(plain_mirror "$value")
        ;;
      --token-file | --token-file=*)
        case $value in
          - | /dev/stdin) read_token ;;
          *) set -- "$@" "--token-file=$value" ;;
        esac
        ;;
      # All users can read the arguments of a process, but not its environment.
      -t* | --token | --token=*)
        has_secret=true
        AGENT_TOKEN=$value
        export AGENT_TOKEN
        ;;
      --auto-discovery | --auto-discovery=*)
        has_secret=true
        AGENT_AUTO_DISCOVERY_KEY=$value
        export AGENT_AUTO_DISCOVERY_KEY
        ;;
      --install-service-name | --install-service-name=*)
        service=${1:-}
        case $word in *=*) service=${word#*=} ;; esac
        set -- "$@" "$word"
        ;;
      --lang | --lang=*)
        AGENT_LANG=${1:-}
        case $word in *=*) AGENT_LANG=${word#*=} ;; esac
        set -- "$@" "$word"
        ;;
      --pin | --pin=* | --unset=*pin*)
        pin_given=true
        set -- "$@" "$word"
        ;;
      --unset)
        case ${1:-} in *pin*) pin_given=true ;; esac
        set -- "$@" "$word"
        ;;
      -e* | --endpoint | --endpoint=* | --config | --config=* | --replace | --replace=* | --print)
        panel_given=true
        set -- "$@" "$word"
        ;;
      --install-dir | --install-dir=*) set -- "$@" "$word" ;;
      # The official script tries mirrors by itself.
      --install-no-mirror) ;;
      --install-*) say "$word has no effect: unknown option" ;;
      *) set -- "$@" "$word" ;;
    esac
  done
  if [ "$has_secret" = true ] && is_file && is_own "$0"; then
    # Starts again without the secrets in its arguments, since the download may take long.
    if [ "$target" = portable ]; then set -- --portable "$@"; fi
    if [ -n "$mirror" ]; then set -- --mirror "$mirror" "$@"; fi
    exec sh "$0" --install-version "$version" "$@"
  fi
  if [ -n "$mirror" ]; then set -- "$@" --mirror "$mirror"; fi
  case $version in
    latest) ;;
    [Ss]napshot*)
      say "There are no signed snapshots: the latest release is installed instead"
      version=latest
      ;;
    '' | *[!0-9A-Za-z.+-]*) fail "Cannot use version \"$version\": allowed is one such as 1.2.3" ;;
  esac

  if [ "$pin_given" = false ]; then
    pinned=$(pinned_version "$service")
    if [ -n "$pinned" ] && [ "$version" = latest ]; then
      say "$service is pinned to version $pinned, which stays; --install-version V installs another," \
        "and --unset pin goes on to newer ones"
      version=$pinned
    elif [ -n "$pinned" ]; then
      say "$service was pinned to version $pinned, and is pinned to version $version now"
      set -- "$@" --pin
    elif [ "$version" != latest ]; then
      say "Automatic updates go on from version $version to newer ones; --pin keeps it"
    fi
  fi

  if [ "$panel_given" = false ] && [ -z "${AGENT_ENDPOINT:-}${AGENT_PANELS:-}${AGENT_CONFIG_FILE:-}" ]; then
    if ! find_record "$service" >/dev/null; then
      fail "Cannot install: no panel is given; -e https://panel.example.com names it," \
        "and --token-file - asks for its token"
    fi
    say "No panel is given: $service is installed, so it is updated and keeps its panels and options"
  fi

  repository=${KOMARI_AGENT_REPOSITORY:-$REPOSITORY}
  case $repository in
    */*) ;;
    *) fail "Cannot download: the repository is unknown; set KOMARI_AGENT_REPOSITORY=owner/name" ;;
  esac
  # The key belongs to the repository.
  public_key=${KOMARI_AGENT_PUBLIC_KEY:-}
  if [ "$repository" = "$REPOSITORY" ]; then public_key=${public_key:-$PUBLIC_KEY}; fi
  protocols=https
  case $mirror in http://*) protocols=http,https ;; esac
  machine_target=$(find_target)
  if [ "$target" = portable ]; then
    check_deno
  else
    target=$machine_target
    case $target in linux-*) check_libc ;; esac
  fi

  trap 'rm -rf "$folder"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  make_folder
  # The Deno of a portable build would write below HOME, where links of another user can lead anywhere.
  export DENO_DIR="$folder/deno"
  download
  status=0
  # The rest of this script on standard input is no input for the program.
  "$program" install "$@" </dev/null || status=$?
  exit "$status"
}

# Last, so that nothing happens when only a part of this script was received.
main "$@"
