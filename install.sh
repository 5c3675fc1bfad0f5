#!/bin/sh
# Downloads komari-agent-deno, checks it, and lets it install itself.
set -eu

# The build writes down here where releases come from, as owner/name on GitHub.
REPOSITORY=''

NAME=komari-agent-deno
# Smaller than any build of its kind, and larger than any page of an error.
SMALLEST_BINARY=1048576
SMALLEST_PORTABLE=65536

usage() {
  cat <<'TEXT'
Downloads komari-agent-deno, checks it, and lets it install itself as a service.

Usage:
  sh install.sh [options of this script] [options of the agent]
  sh install.sh -e https://panel.example.com -t TOKEN
  sh install.sh -e https://panel.example.com --auto-discovery KEY

Options of this script:
  --install-version V          that version, not the newest
  --mirror PREFIX              put before every address of GitHub, for updates too
  --install-ghproxy PREFIX     the same, by the official script's name
  --portable                   the build that runs by a Deno which is there: for Alpine, OpenWrt
  -h, --help                   this text

What else is given goes to `komari-agent-deno install`, such as --install-dir FOLDER,
--install-service-name NAME, --replace, --as-root, --print, and every option of the agent.
Without root it becomes a service of the user's.

Environment:
  KOMARI_AGENT_REPOSITORY      where releases come from, as owner/name on GitHub
  DENO                         the Deno that a portable build runs by
TEXT
}

say() {
  printf '%s\n' "$*"
}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# The builds that there are. Prints linux-amd64 and its like.
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
  # Some boards run a 64-bit kernel below a system of 32 bits.
  if [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 32 ]; then
    fail "Cannot install on a system of 32 bits: there are builds for 64 bits, whatever the kernel"
  fi
  printf '%s\n' "$system-$machine"
}

# Prints "musl", "glibc 2.36", or nothing where it can't be found out.
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
      say "glibc ${libc##* }"
      return
      ;;
  esac
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || :)
  case $libc in
    glibc\ *)
      say "$libc"
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
      fail "Cannot install here: this system's C library is musl, as on Alpine and OpenWrt, and" \
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
  fail "Cannot install the portable build: it runs by Deno, and there is no ${DENO:-deno} on the" \
    "path (on Alpine: apk add deno; elsewhere see https://deno.com); \$DENO can name one"
}

# A folder in which programs can be started: some systems forbid that in /tmp. Sets $folder.
make_folder() {
  for parent in "${TMPDIR:-/tmp}" /var/tmp "${HOME:-/}"; do
    folder=$(mktemp -d "$parent/$NAME.XXXXXX" 2>/dev/null) || continue
    printf '#!/bin/sh\n' >"$folder/try"
    chmod +x "$folder/try"
    if "$folder/try" 2>/dev/null; then return; fi
    rm -rf "$folder"
  done
  folder=
  fail "Cannot find a folder to download to, from which programs can be started; \$TMPDIR can name one"
}

# fetch URL FILE
fetch() {
  if has curl; then
    curl -fsSL --connect-timeout 20 --speed-limit 1 --speed-time 30 --max-time 1800 --retry 2 \
      -o "$2" "$1" 2>"$folder/log" && return
  elif has wget; then
    # Busybox has no such options, or a time-out by which it crashes.
    patience=
    if wget --version >/dev/null 2>&1; then patience='--timeout=30 --tries=3'; fi
    # shellcheck disable=SC2086 # these are several words, or none
    wget $patience -O "$2" "$1" >"$folder/log" 2>&1 && return
  else
    fail "Cannot download: there is neither curl nor wget"
  fi
  fail "Cannot download $1: $(grep -v '^[[:space:]]*$' "$folder/log" | tail -n 1)"
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
    fail "Cannot check the download: there is neither sha256sum nor shasum nor openssl"
  fi
  printf '%s\n' "${sum%% *}"
}

# Prints what SHA256SUMS says of a file; nothing when it has no line of it.
expected_sum() {
  while read -r sum name; do
    case $name in "$1" | "*$1")
      printf '%s\n' "$sum"
      return
      ;;
    esac
  done <"$folder/SHA256SUMS"
}

# The first bytes of a program for the system.
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
    fail "Cannot use $3: the answer is a page of HTML; is the mirror right?"
  fi
  smallest=$SMALLEST_BINARY
  if [ "$1" = portable ]; then smallest=$SMALLEST_PORTABLE; fi
  size=$(($(wc -c <"$2")))
  if [ "$size" -lt "$smallest" ]; then
    fail "Cannot use $3: it has $size bytes, and no build is that small"
  fi
  if ! is_program "$1" "$2"; then fail "Cannot use $3: it is no program for this system"; fi
  expected=$(expected_sum "$NAME-$1")
  if [ -z "$expected" ]; then
    fail "Cannot check $3: SHA256SUMS says nothing of it"
  fi
  found=$(sha256_of "$2")
  if [ "$found" != "$expected" ]; then
    fail "Cannot use $3: its SHA-256 is $found, and should be $expected"
  fi
}

# Downloads and checks the build, and tries whether it starts here. Sets $program.
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
  fetch "$base/SHA256SUMS" "$folder/SHA256SUMS"
  if is_page "$folder/SHA256SUMS"; then
    fail "Cannot use $base/SHA256SUMS: the answer is a page of HTML; is the mirror right?"
  fi
  fetch "$url" "$program"
  check_file "$target" "$program" "$url"
  chmod 755 "$program"
  if ! text=$("$program" version 2>&1 </dev/null); then fail "Cannot run the program here: $text"; fi
  say "Checked $text"
}

# A mirror's prefix: without slashes at its end, and without GitHub's address, which follows it.
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
    '' | http://* | https://*) ;;
    *) prefix=https://$prefix ;;
  esac
  printf '%s\n' "$prefix"
}

main() {
  version=latest
  mirror=
  target=
  folder=
  # What is for the agent goes to the end of the list, so that nothing has to be quoted again.
  rest=$#
  while [ "$rest" -gt 0 ]; do
    word=$1
    shift
    rest=$((rest - 1))
    case $word in
      --install-version | --install-ghproxy | --mirror | -t | --token | --auto-discovery)
        if [ "$rest" -eq 0 ]; then fail "Cannot use $word alone: a value must follow it"; fi
        value=$1
        shift
        rest=$((rest - 1))
        ;;
      -t=* | --token=* | --auto-discovery=* | --install-version=* | --install-ghproxy=* | --mirror=*)
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
      # Whoever looks at the processes sees what they were given, but not their environment.
      -t* | --token | --token=*)
        AGENT_TOKEN=$value
        export AGENT_TOKEN
        ;;
      --auto-discovery | --auto-discovery=*)
        AGENT_AUTO_DISCOVERY_KEY=$value
        export AGENT_AUTO_DISCOVERY_KEY
        ;;
      --install-dir | --install-dir=* | --install-service-name | --install-service-name=*)
        set -- "$@" "$word"
        ;;
      --install-*) say "$word has no effect here: no option of that name is known" ;;
      *) set -- "$@" "$word" ;;
    esac
  done
  if [ -n "$mirror" ]; then set -- "$@" --mirror "$mirror"; fi
  case $version in
    latest) ;;
    '' | *[!0-9A-Za-z.+-]*) fail "Cannot use version \"$version\": allowed is one such as 1.2.3" ;;
  esac

  repository=${KOMARI_AGENT_REPOSITORY:-$REPOSITORY}
  case $repository in
    */*) ;;
    *) fail "Cannot download: it is not known from where; KOMARI_AGENT_REPOSITORY=owner/name says it" ;;
  esac
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
  download
  status=0
  # What is left of this script on the standard input is nobody's answer.
  "$program" install "$@" </dev/null || status=$?
  exit "$status"
}

# At the end, so that nothing is done when only a part of this script has come.
main "$@"
