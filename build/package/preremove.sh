#!/bin/sh
# Before the files of the package are removed. dpkg says `remove`; rpm says how many versions of the
# package stay.
set -e

NAME=komari-agent-deno
if [ ! -d /run/systemd/system ]; then exit 0; fi
case ${1:-} in
  # Its configuration stays until purge: when it comes back, it is started again.
  remove)
    if systemctl is-enabled --quiet $NAME.service; then : >/etc/$NAME/was-enabled; fi
    systemctl --no-reload disable --now $NAME.service 2>/dev/null || :
    ;;
  0) systemctl --no-reload disable --now $NAME.service || : ;;
esac
