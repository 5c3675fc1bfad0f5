#!/bin/sh
# Before the files of the package are removed. dpkg says `remove`; rpm says how many versions of the
# package stay.
set -e

NAME=komari-agent-deno
if [ ! -d /run/systemd/system ]; then exit 0; fi
case ${1:-} in
  # It stays enabled, as its configuration stays, until purge.
  remove) systemctl stop $NAME.service || : ;;
  0) systemctl --no-reload disable --now $NAME.service || : ;;
esac
