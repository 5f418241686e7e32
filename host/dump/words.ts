// What pg_dump and pg_restore said of why they ended. pg_restore repeats whole statements after
// what is wrong with them, and says which object it is about only among all it does.
const command = /^Command was: [\s\S]*?(?=^pg_restore: |(?![\s\S]))/gm;
const chatter = /^pg_restore: (?!error: |from TOC entry ).*\n?/gm;
const linesMax = 6;
const charactersMax = 2000;

/** Their words without what they do else; empty when they said nothing of it. */
export function failureIn(said: string): string {
  const words = said.replaceAll(command, "").replaceAll(chatter, "").trim();
  const about = words.lastIndexOf("pg_restore: from TOC entry");
  const lines = about < 0 ? words.split("\n").slice(1 - linesMax) : words.slice(about).split("\n");
  return lines.slice(0, linesMax).join(" ").slice(0, charactersMax);
}
