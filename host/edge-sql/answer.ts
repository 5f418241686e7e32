// Answers of POST /sql, written as rows come: as objects they would take many times the memory.
import type { FieldDef } from "pg";

/** What a statement came to, beside its rows. */
export interface Outcome {
  readonly fields: readonly FieldDef[];
  /** `SELECT`, `INSERT`; empty for a statement that was empty. */
  readonly command: string;
  readonly rowCount: number | null;
}

/** A row as it came: texts in the order of the fields. */
export type RawRow = readonly (string | null)[];

function renderRow(fields: readonly FieldDef[], row: RawRow, isArrayMode: boolean): string {
  if (isArrayMode) return JSON.stringify(row);
  // Of two fields of one name the last counts, as in every driver.
  const pairs = fields.map(({ name }, at) => [name, row[at] ?? null] as const);
  const texts = [...new Map(pairs)].map(([name, value]) => {
    return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  });
  return `{${texts.join(",")}}`;
}

function renderField(field: FieldDef): object {
  const { name, tableID, columnID, dataTypeID, dataTypeSize, dataTypeModifier } = field;
  return { name, tableID, columnID, dataTypeID, dataTypeSize, dataTypeModifier, format: "text" };
}

// Rows are written together: a buffer for each would take a hundred times what a short one needs.
const chunkLetters = 64 * 1024;

/** Gathers texts to large buffers. */
function createWriter(onBytes: (bytes: number) => void) {
  const chunks: Buffer[] = [];
  let [texts, letters]: [string[], number] = [[], 0];
  const flush = () => {
    if (letters === 0) return;
    const chunk = Buffer.from(texts.join(""), "utf8");
    [texts, letters] = [[], 0];
    chunks.push(chunk);
    onBytes(chunk.length);
  };
  return {
    write(text: string): void {
      texts.push(text);
      letters += text.length;
      if (letters >= chunkLetters) flush();
    },
    end(): readonly Buffer[] {
      flush();
      return chunks;
    },
  };
}

/** Gathers the answer of one request. `onBytes` hears how long it grows, and never throws. */
export function createAnswer(isArrayMode: boolean, onBytes: (bytes: number) => void) {
  const { write, end } = createWriter(onBytes);
  let results = 0;
  let rows = 0;

  return {
    addRow(fields: readonly FieldDef[], row: RawRow): void {
      const lead = rows === 0 ? `${results === 0 ? "" : ","}{"rows":[` : ",";
      write(lead + renderRow(fields, row, isArrayMode));
      rows++;
    },
    endResult({ fields, command, rowCount }: Outcome): void {
      const lead = rows === 0 ? `${results === 0 ? "" : ","}{"rows":[` : "";
      const rest = { fields: fields.map(renderField), command, rowCount, rowAsArray: isArrayMode };
      write(`${lead}],${JSON.stringify(rest).slice(1)}`);
      results++;
      rows = 0;
    },
    /** The whole of it; a batch is a list of results. */
    end: (isBatch: boolean): readonly Buffer[] =>
      isBatch ? [Buffer.from('{"results":['), ...end(), Buffer.from("]}")] : end(),
  };
}
