/**
 * What the shell runs that looks at a Mac: it reads requests, a line each, and answers each with a
 * line.
 *
 * ```text
 * ID facts        ID ok OUTPUT        the lines of the command's output, joined by tabs
 * ID sockets      ID missing          there is no such command
 * ID interfaces
 * ID memory
 * ID mounts
 * ID processes    ID ok COUNT
 * ```
 *
 * Everything else is answered `ID refused`: the menu holds here, not at the sender. The commands
 * take no word of the sender's. They can run beside each other, so one that hangs lets others go on,
 * but whoever asks has to see to it that two answers don't meet. One that spins is ended by the limit
 * on CPU time.
 */
export const DARWIN_SHELL_SCRIPT = `
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
  set -- $("$@" 2>/dev/null </dev/null)
  IFS=$tab
  printf '%s\\n' "$id ok $*"
}

count_processes() {
  id=$1
  command -v ps >/dev/null || { echo "$id missing"; return; }
  ulimit -t 2
  set -- $(ps -A -o pid= 2>/dev/null </dev/null)
  echo "$id ok $#"
}

while IFS=' ' read -r id verb; do
  jobs >/dev/null
  case $id in ''|*[!0-9]*) continue ;; esac
  case $verb in
    facts)
      lines_of "$id" sysctl hw.model hw.logicalcpu hw.physicalcpu kern.bootsessionuuid \\
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
`;
