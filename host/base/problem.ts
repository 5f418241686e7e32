/** An answer that is not 200: `code` for programs, `message` for people. */
export class HostProblem extends Error {
  override readonly name = "HostProblem";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}
