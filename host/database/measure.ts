// What an instance takes on disk. A program in its own box looks: whatever is put there can mislead
// no one else, and Postgres is not asked, since one that sleeps need not wake for that.
import { run } from "../base/spawn.ts";
import { type Box, toolLine } from "../instance/box.ts";
import { listInside, writtenInside } from "../instance/inside.ts";

/** Bytes on disk. */
export interface Measured {
  readonly dataBytes: number;
  /** Segments of WAL that Postgres keeps. */
  readonly walBytes: number;
}

const longestSeconds = 120;

// What was counted is not counted again: the data is without its WAL. Files may go meanwhile.
const look = "du -s -B1 /instance/data/pg_wal /instance/data 2>/dev/null || true";

/** @throws Error when it could not be looked at */
export async function measureInstance(box: Box): Promise<Measured> {
  const line = toolLine(box, "sh", ["-c", look], { onlyReads: true });
  const said = await run(line, {}, longestSeconds);
  const [wal, data] = [...said.matchAll(/^(\d+)\t\/instance\/data/gm)].map(([, bytes]) =>
    Number(bytes),
  );
  if (wal === undefined || data === undefined) {
    throw new Error(`${box.place.name} was not measured: its files cannot be read.`);
  }
  return { dataBytes: data, walBytes: wal };
}

/** When an instance last wrote to its WAL, in nanoseconds; its Postgres is not asked. */
export function lastWritten(box: Box): bigint {
  const names = listInside(box.place.box, "data", "pg_wal");
  const times = names.map((name) => writtenInside(box.place.box, "data", "pg_wal", name) ?? 0n);
  return times.reduce((last, time) => (time > last ? time : last), 0n);
}
