#!/bin/sh
# Runs as root. `apt.sh update`, or `apt.sh install PACKAGE...`: installs without starting, now or
# at the next boot, any server the packages bring, and without making their own Postgres cluster.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

wait_for_lock="DPkg::Lock::Timeout=600"

if [ "$1" = update ]; then
  exec apt-get -o "$wait_for_lock" -o APT::Update::Error-Mode=any update
fi
shift

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/miosa-install.conf
ours=

cleanup() {
  rm -f "$cluster"
  if [ -n "$ours" ]; then rm -f "$policy"; fi
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -p "$(dirname "$cluster")"
printf 'create_main_cluster = false\n' >"$cluster"
if [ ! -e "$policy" ]; then
  ours=yes
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

has_pgbouncer() {
  dpkg-query -W -f '${Status}' pgbouncer 2>/dev/null | grep -q 'ok installed'
}
before=
if has_pgbouncer; then before=yes; fi

apt-get -o "$wait_for_lock" -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@"

# A PgBouncer that came just now must not come up by itself at the next boot.
if [ -z "$before" ] && has_pgbouncer && command -v systemctl >/dev/null 2>&1; then
  systemctl disable pgbouncer.service
fi
