import { describe, expect, test, vi } from "vitest";
import { type CommandHandlers, dispatch } from "../../host/command.ts";

const pools = {
  transaction: { pool_size: 20, client_connections_max: 200 },
  session: { pool_size: 10, client_connections_max: 20 },
};

function someHandlers() {
  return {
    status: vi.fn<CommandHandlers["status"]>(),
    "pooler.set": vi.fn<CommandHandlers["pooler.set"]>(async () => ({})),
    "pooler.remove": vi.fn<CommandHandlers["pooler.remove"]>(async () => ({})),
    "database.stop": vi.fn<CommandHandlers["database.stop"]>(),
    "database.start": vi.fn<CommandHandlers["database.start"]>(),
    "database.suspend_after": vi.fn<CommandHandlers["database.suspend_after"]>(),
    "database.memory": vi.fn<CommandHandlers["database.memory"]>(),
    "database.allowed_addresses": vi.fn<CommandHandlers["database.allowed_addresses"]>(),
    report: vi.fn<CommandHandlers["report"]>(),
  };
}

describe("a command", () => {
  test("is carried out by the handler of its name, with its input", async () => {
    const handlers = someHandlers();
    const input = { database: "proj_a", ...pools };
    const report = await dispatch(handlers, JSON.stringify({ command: "pooler.set", input }));
    expect(report).toEqual({});
    expect(handlers["pooler.set"]).toHaveBeenCalledExactlyOnceWith(input);
    expect(handlers["pooler.remove"]).not.toHaveBeenCalled();
  });

  test.each([
    ["that is not JSON", "{", 400, /not JSON/],
    ["with an unknown name", '{"command":"drop","input":{}}', 422, /command: .*pooler\.set/],
    ["with the name of an inherited property", '{"command":"toString","input":{}}', 422, /command/],
    ["with input that lacks a field", '{"command":"pooler.set","input":{}}', 422, /database: /],
    ["with a field too many", '{"command":"status","input":{"x":1}}', 422, /"x"/],
  ])("%s is refused and nothing is done", async (_, body, status, message) => {
    const handlers = someHandlers();
    await expect(dispatch(handlers, body)).rejects.toMatchObject({
      status,
      message: expect.stringMatching(message),
    });
    for (const handler of Object.values(handlers)) expect(handler).not.toHaveBeenCalled();
  });

  test.each([
    "postgres",
    "pgb_auth",
    "Proj",
    "a b",
    "a = host",
    "a\nb",
    "*",
    "",
    `a${"b".repeat(63)}`,
  ])("never writes the database name %j into a pooler's file", async (database) => {
    const body = JSON.stringify({ command: "pooler.set", input: { database, ...pools } });
    await expect(dispatch(someHandlers(), body)).rejects.toMatchObject({ status: 422 });
  });

  test("whose handler fails is not mistaken for a wrong input", async () => {
    const handlers = someHandlers();
    handlers["pooler.remove"].mockRejectedValue(new Error("the pooler is gone"));
    const body = '{"command":"pooler.remove","input":{"database":"proj_a"}}';
    await expect(dispatch(handlers, body)).rejects.toThrow("the pooler is gone");
  });
});
