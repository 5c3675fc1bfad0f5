#!/bin/sh
# Before the files of the package are unpacked.
set -e

# The configuration that an agent of `install` has is set aside, so that nobody is asked which one to
# keep; postinstall.sh puts it back.
config=/etc/komari-agent-deno/config.json
if [ -e /etc/komari-agent-deno/install.json ] && [ -e "$config" ] && [ ! -e "$config.adopted" ]; then
  mv "$config" "$config.adopted"
fi
