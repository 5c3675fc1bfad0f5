#!/bin/sh
# shellcheck shell=sh
# shellcheck disable=SC3045 # Every shell that there is has ulimit -t.
#
# The helper shell: it reads requests, a line each, and answers each with a line.
#
#   ID ping ADDRESS     ID ok OUTPUT        lines of one ping, joined by tabs
#                       ID missing          there is no such command
#   ID processes        ID ok COUNT         0 where others are hidden: then the first one is, too
#   ID resolve NAME     ID ok ADDRESS…      as the system resolves it, in its order
#                       ID missing          there is no getent
#                       ID none ADDRESS…    no address; the name servers of the system
#   ID hosts NAME       the same            by /etc/hosts alone
#   ID nvidia-smi       ID ok OUTPUT        a card a line, joined by tabs, then "exit STATUS"
#                       ID missing          there is no such command, or it was not asked for
#   0 reap              0 left              some children have not ended; else nothing
#
# Everything else is answered "ID refused". Requests are checked here, not only by the sender: an
# attacker in the agent's process can write anything into this pipe. At most 32 programs and 64
# look-ups of names run at a time; a request for another one is answered "ID busy".
#
# Arguments are the root of proc, "gpu" with --gpu, and the runtime's name of the system: on
# macOS ping has another option for its time-out, and ping6 none, which ends after 10 s.
#
# It starts only ping, getent, and nvidia-smi with --gpu. Output is read line by line up to a limit, so
# that an answer fits into one write, which no other answer can split; a program that writes more is
# ended by the closed pipe. A limit on CPU time ends a ping that spins, and timeout an nvidia-smi that
# hangs, which stays in the shell's process group and ends with it.

trap '' HUP INT TERM
exec 2>/dev/null
proc=$1 tab='	'
ping4=$(command -v ping) ping6=$(command -v ping6) getent=$(command -v getent)
wait4='-W 3' wait6='-W 3'
[ "$3" = darwin ] && wait4='-t 3' wait6=''
smi='' limit='' same_group=''
if [ "$2" = gpu ] && smi=$(command -v nvidia-smi) && limit=$(command -v timeout); then
  case $("$limit" --help 2>&1 </dev/null) in *--foreground*) same_group=--foreground ;; esac
fi
set --

echo_once() {
  tool=${ping4:-ping} wait=$wait4
  case $2 in *:*) tool=${ping6:-$tool} wait=$wait6 ;; esac
  command -v "$tool" >/dev/null || { echo "$1 missing"; return; }
  ulimit -t 2
  # shellcheck disable=SC2086 # An option and its value, or none.
  "$tool" -n -c 1 $wait -- "$2" 2>&1 </dev/null | answer "$1" 12
}

look_up() {
  [ -n "$getent" ] || { echo "$1 missing"; return; }
  ulimit -t 2
  # shellcheck disable=SC2086 # An option and its value, or none.
  "$getent" $3 ahosts "$2" </dev/null | addresses "$1" "$3"
}

addresses() {
  found='' count=0
  while [ $count -lt 32 ] && read -r address kind _; do
    case $kind:$address in
      *[!A-Z0-9a-f:.]*) ;;
      STREAM:?*) found="$found $address" count=$((count + 1)) ;;
    esac
  done
  [ -n "$found$2" ] || { servers "$1"; return; }
  printf '%s\n' "$1 ok$found"
}

# Its name servers, of which the system asks three: getent does not say whether they have answered.
servers() {
  found='' count=0
  while [ $count -lt 3 ] && read -r key address _; do
    case $key:$address in
      *[!a-z0-9A-F:.]*) ;;
      nameserver:?*) found="$found $address" count=$((count + 1)) ;;
    esac
  done </etc/resolv.conf
  printf '%s\n' "$1 none$found"
}

cards() {
  if [ -z "$smi" ] || [ -z "$limit" ]; then echo "$1 missing"; return; fi
  {
    "$limit" $same_group -s KILL 5 "$smi" --format=csv,noheader,nounits \
      --query-gpu=name,memory.total,memory.used,utilization.gpu,temperature.gpu \
      2>&1 </dev/null
    echo "exit $?"
  } | head -c 3800 | answer "$1" 64
}

answer() {
  text='' lines=0
  while [ $lines -lt "$2" ] && { IFS= read -r line || [ -n "$line" ]; }; do
    lines=$((lines + 1))
    [ ${#line} -lt 250 ] && text="$text$line$tab"
  done
  printf '%s\n' "$1 ok $text"
}

# The files that a pattern has found; it stays as it is where there are none.
count_found() {
  id=$1
  shift
  [ -e "$1" ] || shift
  echo "$id ok $#"
}

# Of these children, those that have not ended.
look_at() {
  alive='' count=0
  for pid in $1; do
    kill -0 "$pid" && alive="$alive $pid" count=$((count + 1))
  done
}

# Four numbers up to 255, or IPv6 with a colon: ping looks everything else up as a name.
is_address() {
  case $1 in
    *[!0-9A-Fa-f:.]*) return 1 ;;
    *:*) [ ${#1} -le 45 ] && return ;;
    *.) return 1 ;;
  esac
  IFS=.
  # shellcheck disable=SC2086 # Digits and dots.
  set -- $1
  unset IFS
  [ $# -eq 4 ] || return
  for number; do
    case $number in '' | *[!0-9]* | ????*) return 1 ;; esac
    [ "$number" -le 255 ] || return
  done
}

# The request, if it is one that is answered: the verb alone, and a word of its kind and length.
check() {
  request=
  case $1 in
    reap | processes | nvidia-smi) [ -z "$2" ] && request=$1 ;;
    ping) is_address "$2" && request=$1 ;;
    resolve | hosts)
      case $2 in '' | -* | *[!A-Za-z0-9._-]*) ;; *) [ ${#2} -le 253 ] && request=$1 ;; esac
      ;;
  esac
}

programs='' lookups=''
while IFS=' ' read -r id verb word; do
  jobs >/dev/null
  case $id in '' | *[!0-9]*) continue ;; esac
  [ ${#id} -le 16 ] || continue
  look_at "$lookups"
  lookups=$alive looking_up=$count
  look_at "$programs"
  programs=$alive running=$count
  check "$verb" "$word"
  case $request in
    reap) [ $((looking_up + running)) -eq 0 ] || echo "0 left" ;;
    ping | nvidia-smi)
      if [ "$running" -ge 32 ]; then
        echo "$id busy"
      else
        if [ "$request" = ping ]; then echo_once "$id" "$word" & else cards "$id" & fi
        programs="$programs $!"
      fi
      ;;
    resolve | hosts)
      only=
      [ "$request" = hosts ] && only='-s files'
      if [ "$looking_up" -ge 64 ]; then
        echo "$id busy"
      else
        look_up "$id" "$word" "$only" &
        lookups="$lookups $!"
      fi
      ;;
    processes)
      if [ -e "$proc/1" ]; then count_found "$id" "$proc"/[1-9]*; else echo "$id ok 0"; fi
      ;;
    *) echo "$id refused" ;;
  esac
done
kill -s KILL -- -$$
