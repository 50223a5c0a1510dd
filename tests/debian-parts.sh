#!/bin/sh
# Installs what tests marked needs("PROGRAM") start. Debian, as root; does nothing that is already done. Starts nothing:
# the tests start each of them on loopback, and stop it.
set -eu

# PROGRAM:PACKAGE, one to a line.
parts='
mariadbd:mariadb-server
pg_ctlcluster:postgresql
sshd:openssh-server
prometheus:prometheus
prometheus-node-exporter:prometheus-node-exporter
'

packages=''
for part in $parts; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${part%%:*}" >/dev/null || packages="$packages ${part#*:}"
done
[ -n "$packages" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "debian-parts: as root: apt-get install$packages" >&2; exit 1; }
echo "debian-parts: installing$packages"
# Debian would start each service on installation; 101 forbids it for as long as this runs.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
