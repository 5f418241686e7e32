#!/bin/sh
# Puts node_modules in place, and with it a Node that runs TypeScript. Needs npm and nothing else;
# does nothing when all is as package-lock.json says. Two at once: the second waits.
set -eu
umask 022
cd "$(dirname "$0")/../.."

stamp=node_modules/.miosa-installed
hidden=node_modules/.package-lock.json

say() {
  printf '%s\n' "$*" >&2
}

lock_sum() {
  cksum <package-lock.json
}

is_current() {
  [ -f "$hidden" ] || return 1
  [ "$(cat "$stamp" 2>/dev/null)" = "$(lock_sum)" ] && return 0
  # npm writes its own record last: newer than the lock file, it stands for a finished install.
  [ -n "$(find "$hidden" -newer package-lock.json)" ]
}

# The npm that runs this script, or the one in the PATH.
run_npm() {
  case ${npm_execpath:-} in
    *npm-cli.js) "${npm_node_execpath:-node}" "$npm_execpath" "$@" ;;
    *) npm "$@" ;;
  esac
}

install() {
  is_current && return 0
  if [ -e node_modules ] && [ ! -w node_modules ] || [ ! -w . ]; then
    say "Cannot write to $(pwd), which belongs to another user."
    say "Start as that user, or make a clone of your own."
    return 1
  fi
  say "Installing npm packages (about 20 s the first time)"
  rm -f "$stamp"
  run_npm ci --ignore-scripts --no-audit --no-fund || {
    say "npm ci failed: see above. It needs access to the npm registry."
    return 1
  }
  lock_sum >"$stamp"
}

# The lock is the kernel's, so it ends with whoever holds it.
if command -v flock >/dev/null 2>&1; then
  exec 9<package-lock.json
  is_current || flock -n 9 || {
    say "Another start installs npm packages: waiting for it"
    flock 9
  }
fi
install
exec 9<&-

PATH="$(pwd)/node_modules/.bin:$PATH"
node -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  process.exit(major > 22 || (major === 22 && minor >= 18) ? 0 : 1);
' || {
  say "Node $(node -v) is too old here: install Node 22.18 or newer and start again."
  say "(On x86-64 Linux one comes with the npm packages; here it did not.)"
  exit 1
}
