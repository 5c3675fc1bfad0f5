#!/bin/sh
# shellcheck shell=sh
# shellcheck disable=SC3045 # Every shell that there is has ulimit -t.
#
# The shell that measures a Mac: it reads requests, a line each, and answers each with a line.
#
#   ID facts        ID ok OUTPUT        lines of the command's output, joined by tabs
#   ID sockets      ID missing          there is no such command
#   ID interfaces
#   ID memory
#   ID mounts
#   ID processes    ID ok COUNT
#
# Everything else is answered "ID refused". The commands take no argument from the request. They run
# concurrently, so that one that hangs delays no other, but long answers must not overlap: the sender
# asks for one at a time. A limit on CPU time ends a command that spins.

trap '' HUP INT TERM
tab='	' newline='
'

lines_of() {
  id=$1
  shift
  command -v "$1" >/dev/null || { echo "$id missing"; return; }
  ulimit -t 2
  set -f
  IFS=$newline
  # shellcheck disable=SC2046 # A word a line.
  set -- $("$@" 2>/dev/null </dev/null)
  IFS=$tab
  printf '%s\n' "$id ok $*"
}

count_processes() {
  id=$1
  command -v ps >/dev/null || { echo "$id missing"; return; }
  ulimit -t 2
  # shellcheck disable=SC2046 # A word a process.
  set -- $(ps -A -o pid= 2>/dev/null)
  echo "$id ok $#"
}

while IFS=' ' read -r id verb; do
  jobs >/dev/null
  case $id in ''|*[!0-9]*) continue ;; esac
  case $verb in
    facts)
      lines_of "$id" sysctl hw.model hw.logicalcpu hw.physicalcpu kern.bootsessionuuid \
        kern.hv_vmm_present kern.osproductversion kern.osrelease machdep.cpu.brand_string &
      ;;
    sockets) lines_of "$id" sysctl net.inet.tcp.pcbcount net.inet.udp.pcbcount & ;;
    interfaces) lines_of "$id" netstat -ibn & ;;
    memory) lines_of "$id" vm_stat & ;;
    mounts) lines_of "$id" mount & ;;
    processes) count_processes "$id" & ;;
    *) echo "$id refused" ;;
  esac
done
kill -s KILL -- -$$
