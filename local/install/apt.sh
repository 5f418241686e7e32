#!/bin/sh
# Runs as root. `apt.sh update`, or `apt.sh install PACKAGE...`: installs without starting, now or
# at the next boot, any server the packages bring, and without making their own Postgres cluster.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8

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
# One of ours that is already there was left by an install that was killed.
if [ ! -e "$policy" ] || grep -q miosa-install "$policy"; then
  ours=yes
  printf '#!/bin/sh\n# %s\nexit 101\n' "miosa-install: start no server meanwhile" >"$policy"
  chmod 755 "$policy"
fi

has_pgbouncer() {
  dpkg-query -W -f '${Status}' pgbouncer 2>/dev/null | grep -q 'ok installed'
}
before=
if has_pgbouncer; then before=yes; fi

# Completes what an install that was cut short left half done; else does nothing.
dpkg --configure -a
apt-get -o "$wait_for_lock" -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@"

# A PgBouncer that came just now must not come up by itself at the next boot.
if [ -z "$before" ] && has_pgbouncer && command -v systemctl >/dev/null 2>&1; then
  systemctl disable pgbouncer.service
fi
