/** The size of a terminal that nobody has told one. */
const FIRST_SIZE = "rows 24 cols 80";

/**
 * What `/bin/sh` runs to get a terminal: `script` with the command in `$1`. Descriptor 3 leads past
 * the terminal to this process, for whoever runs in there to say where they are.
 */
export const START_PTY = 'exec 3>&2; exec script -q -f -c "$1" /dev/null';

/**
 * What runs within the terminal: it says its session and its terminal on descriptor 3, shows the
 * message of the day and becomes the login shell.
 *
 * `script` leaves the echo off when its own input is no terminal.
 */
export function ptyCommand(shell: string): string {
  const path = `'${shell.replaceAll("'", "'\\''")}'`;
  return `
stty sane 2>/dev/null
stty iutf8 2>/dev/null
stty ${FIRST_SIZE} 2>/dev/null
printf '%s %s\\n' "$$" "$(tty)" >&3
exec 3>&-
[ -e "$HOME/.hushlogin" ] || for file in /run/motd.dynamic /etc/motd; do
  [ -f "$file" ] && cat "$file"
done
export SHELL=${path}
exec ${path} -l`;
}
