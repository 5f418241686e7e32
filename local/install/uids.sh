#!/bin/sh
# Runs as root. `uids.sh grant USER FIRST COUNT`: has the programs that give a user namespace its
# users, and gives a user as many of them, unless it has some. `uids.sh map PID UID GID UFIRST
# UCOUNT GFIRST GCOUNT`: gives them to the namespace of one process of that user.
set -eu
umask 022

if [ "$1" = map ]; then
  pid=$2
  # Nobody else's process is given anybody.
  [ "$(stat -c %u "/proc/$pid")" = "$3" ] || { echo "process $pid is not that user's" >&2; exit 1; }
  printf '0 %s 1\n1 %s %s\n' "$3" "$5" "$6" >"/proc/$pid/uid_map"
  printf '0 %s 1\n1 %s %s\n' "$4" "$7" "$8" >"/proc/$pid/gid_map"
  exit
fi

user=$2
last=$(($3 + $4 - 1))
if ! command -v newuidmap >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then
  /bin/sh "$(dirname "$0")/apt.sh" install uidmap ||
    echo "uidmap is not installed: sudo is asked each time"
fi
for file in /etc/subuid /etc/subgid; do
  if grep -q "^$user:" "$file" 2>/dev/null; then continue; fi
  printf '%s:%s:%s\n' "$user" "$3" "$4" >>"$file"
  echo "$file: $3 to $last are $user's"
done
