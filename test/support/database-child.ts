// A program that does one thing to a database, and may be killed meanwhile.
import { readFileSync } from "node:fs";
import { openProgram } from "./database-program.ts";

const { facts, verb, args } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
const { databases, close } = await openProgram(facts);
process.stdout.write("begun\n");
await (databases as unknown as Record<string, (...all: unknown[]) => Promise<void>>)[verb]?.(
  ...args,
);
await close();
