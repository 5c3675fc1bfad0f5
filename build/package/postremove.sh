#!/bin/sh
# After the files of the package are removed. dpkg says `remove`, `purge` or that it gave up; rpm
# says how many versions of the package stay.
set -e

NAME=komari-agent-deno
config=/etc/$NAME/config.json

case ${1:-} in
  abort-install)
    if [ -e $config.adopted ]; then mv -f $config.adopted $config; fi
    ;;
  purge)
    rm -rf /etc/komari-agent-deno /var/lib/komari-agent-deno \
      /etc/systemd/system/komari-agent-deno.service.d
    if id -u $NAME >/dev/null 2>&1; then userdel $NAME >/dev/null 2>&1 || :; fi
    ;;
esac
case ${1:-} in
  remove | purge | 0)
    if [ -d /run/systemd/system ]; then
      systemctl daemon-reload || :
      systemctl reset-failed $NAME.service 2>/dev/null || :
    fi
    ;;
esac
