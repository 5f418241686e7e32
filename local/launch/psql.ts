// A psql for this machine, which may have none but the one beside Postgres.
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Binaries } from "../../host/base/binaries.ts";
import { writeIfChanged } from "../../host/base/file.ts";
import { outputOf } from "../install/command.ts";
import { quote } from "../install/root.ts";
import { homePaths, type Settings } from "./settings.ts";

function sandboxScript(bwrap: string, rootfs: string): string {
  const links = ["bin", "sbin", "lib", "lib64"].map((name) => `--symlink usr/${name} /${name}`);
  return [
    "#!/bin/sh",
    "# psql of the root file system; it sees the current directory beside.",
    `root=${quote(rootfs)}`,
    "here=$PWD",
    'case "$here/" in // | /usr/* | /etc/* | /dev/* | /proc/*) here=/tmp ;; esac',
    `exec ${quote(bwrap)} --ro-bind "$root/usr" /usr --ro-bind "$root/etc" /etc \\`,
    `  ${links.join(" ")} --dev /dev --proc /proc --tmpfs /tmp \\`,
    '  --bind "$here" "$here" --chdir "$here" -- /usr/lib/postgresql/17/bin/psql "$@"',
    "",
  ].join("\n");
}

/**
 * The command that runs psql on this machine, as whoever started this would type it: the one in
 * the PATH when it works, else a script that is written into the state directory.
 */
export function preparePsql(settings: Settings, binaries: Binaries): string {
  const { bin } = homePaths(settings.home);
  const script =
    binaries.kind === "native"
      ? `#!/bin/sh\nexec ${quote(join(binaries.postgres, "psql"))} "$@"\n`
      : sandboxScript(binaries.bwrap, settings.shown.rootfs);
  mkdirSync(bin, { recursive: true, mode: 0o700 });
  const file = join(bin, "psql");
  writeIfChanged(file, script);
  chmodSync(file, 0o755);
  // Debian's wrapper is there without a psql behind it, so it has to be run to know.
  if (outputOf("psql", ["--version"]) !== undefined) return "psql";
  return quote(join(homePaths(settings.shown.home).bin, "psql"));
}
