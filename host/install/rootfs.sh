#!/bin/sh
# Runs as root: builds a Debian 13 root file system with the servers, in one step as seen from
# outside.    rootfs.sh DIRECTORY MIRROR [SECURITY_MIRROR]
# A half-built one, left by a run that was killed, is removed. Two at once: the second waits.
set -eu
umask 022
target=$1 mirror=$2 security=${3:-}
packages=postgresql-17,postgresql-17-pgvector,pgbouncer,pgbackrest,libeatmydata1
packages=$packages,openssl,ca-certificates

mkdir -p "$(dirname "$target")"
exec 9>>"$target.lock"
flock 9
if [ -x "$target/usr/lib/postgresql/17/bin/postgres" ]; then exit 0; fi
if [ -d "$target" ]; then
  rmdir "$target" || {
    echo "$target is not a root file system with Postgres 17: remove it or name another." >&2
    exit 1
  }
fi
rm -rf --one-file-system "$target".part.*
part=$target.part.$$
trap 'rm -rf --one-file-system "$part"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The tools have settings of their own; the way out is this machine's apt's.
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
if [ -n "${http_proxy:-}" ]; then export http_proxy; fi
if [ -n "${https_proxy:-}" ]; then export https_proxy; fi

with_mmdebstrap() {
  command -v mmdebstrap >/dev/null 2>&1 || return 1
  set -- "deb $mirror trixie main"
  if [ -n "$security" ]; then set -- "$@" "deb $security trixie-security main"; fi
  mmdebstrap --mode=root --variant=minbase --format=directory --include="$packages" \
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
}

with_mmdebstrap || with_debootstrap
# Its own words do not say so, but a tenant may have it as it may have what Postgres comes with.
echo "trusted = true" >>"$part/usr/share/postgresql/17/extension/vector.control"
chmod 755 "$part"
mv "$part" "$target"
