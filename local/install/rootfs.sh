#!/bin/sh
# Runs as root: builds a Debian 13 root file system with the servers, in one step as seen from
# outside.    rootfs.sh DIRECTORY MIRROR [SECURITY_MIRROR]
# A half-built one, left by a run that was killed, is removed, and one of an earlier edition is
# replaced. Two at once: the second waits.
#
# PgBouncer alone comes from Debian 14: Debian 13 has 1.24, which one packet of anybody's ends or
# keeps busy for ever (CVE-2026-19888, CVE-2026-107349). Debian 13 has all that the newer one needs.
set -eu
umask 022
target=$1 mirror=$2 security=${3:-}
# Counted up whenever what is installed changes; local/install/binaries.ts has the same number.
edition=2
packages=postgresql-17,postgresql-17-pgvector,pgbouncer,pgbackrest,libeatmydata1
packages=$packages,openssl,ca-certificates

mkdir -p "$(dirname "$target")"
exec 9>>"$target.lock"
flock 9
if [ "$(cat "$target/etc/miosa-rootfs" 2>/dev/null)" = "$edition" ]; then exit 0; fi
if [ -d "$target" ] && [ ! -x "$target/usr/lib/postgresql/17/bin/postgres" ]; then
  rmdir "$target" || {
    echo "$target is not a root file system with Postgres 17: remove it or name another." >&2
    exit 1
  }
fi
# A former one is kept until the next build: servers that were left running still read its files.
rm -rf --one-file-system "$target".part.* "$target".former.*
part=$target.part.$$
trap 'rm -rf --one-file-system "$part"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The tools have settings of their own; the way out is this machine's apt's.
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
if [ -n "${http_proxy:-}" ]; then export http_proxy; fi
if [ -n "${https_proxy:-}" ]; then export https_proxy; fi

# Of Debian 14 nothing is taken but what is named here. Its lists are valid for a week and some
# mirrors are later than that; they are signed all the same, and the version is looked at at last.
next="[check-valid-until=no] $mirror forky main"
next_sources() {
  mkdir -p "$1/etc/apt/preferences.d"
  printf 'Package: *\nPin: release n=forky\nPin-Priority: -10\n\n' \
    >"$1/etc/apt/preferences.d/next"
  printf 'Package: pgbouncer\nPin: release n=forky\nPin-Priority: 990\n' \
    >>"$1/etc/apt/preferences.d/next"
}

with_mmdebstrap() {
  command -v mmdebstrap >/dev/null 2>&1 || return 1
  set -- "deb $mirror trixie main" "deb $next"
  if [ -n "$security" ]; then set -- "$@" "deb $security trixie-security main"; fi
  mkdir -p "$part"
  next_sources "$part"
  mmdebstrap --mode=root --variant=minbase --format=directory --include="$packages" \
    --skip=check/empty \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --essential-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d"' \
    --essential-hook='echo "create_main_cluster = false" \
      >"$1/etc/postgresql-common/createcluster.d/none.conf"' \
    trixie "$part" "$@"
}

with_debootstrap() {
  command -v debootstrap >/dev/null 2>&1 || return 1
  rm -rf --one-file-system "$part"
  debootstrap --variant=minbase --include="$packages" trixie "$part" "$mirror"
  next_sources "$part"
  echo "deb $next" >"$part/etc/apt/sources.list.d/next.list"
  printf '#!/bin/sh\nexit 101\n' >"$part/usr/sbin/policy-rc.d"
  chmod 755 "$part/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$part/etc/resolv.conf"
  chroot "$part" apt-get update
  DEBIAN_FRONTEND=noninteractive chroot "$part" apt-get install -y pgbouncer
}

with_mmdebstrap || with_debootstrap
# Its own words do not say so, but a tenant may have it as it may have what Postgres comes with.
echo "trusted = true" >>"$part/usr/share/postgresql/17/extension/vector.control"
chmod 755 "$part"
echo "$edition" >"$part/etc/miosa-rootfs"
if [ -d "$target" ]; then mv "$target" "$target.former.$$"; fi
mv "$part" "$target"
