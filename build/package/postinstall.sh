#!/bin/sh
# After the files of the package are unpacked. dpkg says `configure`; rpm says how many versions of
# the package there are now.
set -e

NAME=komari-agent-deno
folder=/etc/$NAME
config=$folder/config.json
record=$folder/install.json
units=/etc/systemd/system

case ${1:-} in configure | [1-9]) ;; *) exit 0 ;; esac

has() {
  command -v "$1" >/dev/null 2>&1
}

# systemctl ARGUMENTS: where systemd runs, and without failing.
control() {
  if [ -d /run/systemd/system ]; then systemctl "$@" >/dev/null 2>&1 || :; fi
}

# field NAME: a text of the record, which has each in a line of its own.
field() {
  sed -n "s/^  \"$1\": \"\(.*\)\",\{0,1\}\$/\1/p" "$record"
}

make_user() {
  if has systemd-sysusers; then
    systemd-sysusers $NAME.conf
  elif ! id -u $NAME >/dev/null 2>&1 && has useradd; then
    useradd --system --user-group --shell /usr/sbin/nologin --home-dir /nonexistent \
      --no-create-home $NAME
  fi
}

# Takes over the configuration and state of an agent that `install` has installed, and removes its
# program and units, so that there is one service.
adopt() {
  program=$(field program)
  state=$(field stateFolder)
  control disable --now $NAME-update.timer
  control stop $NAME-update.service
  control disable --now $NAME.service
  rm -f $units/$NAME.service $units/$NAME-update.service $units/$NAME-update.timer
  if [ "$(readlink /usr/local/bin/$NAME || :)" = "$program" ]; then rm -f /usr/local/bin/$NAME; fi
  case $program in
    /*/$NAME)
      rm -f "$program" "$program.old" "$program.new"
      rm -rf "$program.update"
      rmdir "${program%/*}" 2>/dev/null || :
      ;;
  esac
  case $state in
    /var/lib/"$NAME") ;;
    /*/*)
      mkdir -p $units/$NAME.service.d
      printf '[Service]\nReadWritePaths="%s"\n' "$state" >$units/$NAME.service.d/install.conf
      ;;
  esac
  case $state in /*/*) if [ -d "$state" ]; then chown -hR $NAME: "$state"; fi ;; esac
  if [ -e "$config.adopted" ]; then mv -f "$config.adopted" "$config"; fi
  rm -f "$record"
  echo "$NAME: the agent that was installed here is now the package's; its configuration and state stay"
}

is_configured() {
  [ "$(tr -d '[:space:]' <$config)" != '{}' ]
}

make_user
adopted=false
if [ -e "$record" ] && [ "$(field manager)" = systemd ]; then
  adopt
  adopted=true
fi
# The service must not write what root decided.
if id -u $NAME >/dev/null 2>&1; then
  chgrp $NAME $config
  chmod 640 $config
fi

control daemon-reload
if ! is_configured; then
  echo "$NAME is installed but not configured; this starts it:"
  echo "  sudo $NAME install -e https://panel.example.com --token-file -"
elif [ $adopted = true ] || [ -e $folder/was-enabled ]; then
  rm -f $folder/was-enabled
  control enable $NAME.service
  control restart $NAME.service
elif [ -d /run/systemd/system ] && systemctl is-enabled --quiet $NAME.service 2>/dev/null; then
  control restart $NAME.service
else
  control try-restart $NAME.service
fi
