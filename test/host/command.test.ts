import { describe, expect, test, vi } from "vitest";
import { type CommandHandlers, dispatch } from "../../host/command.ts";
import { defaultSettings } from "../../src/contract/setting.ts";

function someHandlers() {
  return {
    status: vi.fn<CommandHandlers["status"]>(),
    "database.configure": vi.fn<CommandHandlers["database.configure"]>(async () => ({})),
    "database.forget": vi.fn<CommandHandlers["database.forget"]>(async () => ({})),
    "database.stop": vi.fn<CommandHandlers["database.stop"]>(),
    "database.start": vi.fn<CommandHandlers["database.start"]>(),
    inventory: vi.fn<CommandHandlers["inventory"]>(),
    "database.logs": vi.fn<CommandHandlers["database.logs"]>(),
    "database.metrics": vi.fn<CommandHandlers["database.metrics"]>(),
    report: vi.fn<CommandHandlers["report"]>(),
    ...backupHandlers(),
  };
}

function backupHandlers() {
  return {
    "database.swap": vi.fn<CommandHandlers["database.swap"]>(),
    "base_backup.start": vi.fn<CommandHandlers["base_backup.start"]>(),
    "base_backup.status": vi.fn<CommandHandlers["base_backup.status"]>(),
    "base_backup.expire": vi.fn<CommandHandlers["base_backup.expire"]>(),
    base_backups: vi.fn<CommandHandlers["base_backups"]>(),
    archive: vi.fn<CommandHandlers["archive"]>(),
    recovery_window: vi.fn<CommandHandlers["recovery_window"]>(),
    "restore_point.create": vi.fn<CommandHandlers["restore_point.create"]>(),
    "recovery.start": vi.fn<CommandHandlers["recovery.start"]>(),
    "recovery.status": vi.fn<CommandHandlers["recovery.status"]>(),
    "recovery.load": vi.fn<CommandHandlers["recovery.load"]>(),
    "recovery.open": vi.fn<CommandHandlers["recovery.open"]>(),
    "recovery.end": vi.fn<CommandHandlers["recovery.end"]>(),
    "dump.start": vi.fn<CommandHandlers["dump.start"]>(),
    "dump.status": vi.fn<CommandHandlers["dump.status"]>(),
    "dump.remove": vi.fn<CommandHandlers["dump.remove"]>(),
    "verification.start": vi.fn<CommandHandlers["verification.start"]>(),
    "verification.status": vi.fn<CommandHandlers["verification.status"]>(),
    "verification.end": vi.fn<CommandHandlers["verification.end"]>(),
    dumps: vi.fn<CommandHandlers["dumps"]>(),
    incidents: vi.fn<CommandHandlers["incidents"]>(),
    mark: vi.fn<CommandHandlers["mark"]>(),
  };
}

describe("a command", () => {
  test("is carried out by the handler of its name, with its input", async () => {
    const handlers = someHandlers();
    const input = { database: "proj_a", settings: defaultSettings };
    const report = await dispatch(
      handlers,
      JSON.stringify({ command: "database.configure", input }),
    );
    expect(report).toEqual({});
    expect(handlers["database.configure"]).toHaveBeenCalledExactlyOnceWith(input);
    expect(handlers["database.forget"]).not.toHaveBeenCalled();
  });

  test.each([
    ["that is not JSON", "{", 400, /not JSON/],
    [
      "with an unknown name",
      '{"command":"drop","input":{}}',
      422,
      /command: .*database\.configure/,
    ],
    ["with the name of an inherited property", '{"command":"toString","input":{}}', 422, /command/],
    [
      "with input that lacks a field",
      '{"command":"database.configure","input":{}}',
      422,
      /database: /,
    ],
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
    const body = JSON.stringify({
      command: "database.configure",
      input: { database, settings: defaultSettings },
    });
    await expect(dispatch(someHandlers(), body)).rejects.toMatchObject({ status: 422 });
  });

  test("whose handler fails is not mistaken for a wrong input", async () => {
    const handlers = someHandlers();
    handlers["database.forget"].mockRejectedValue(new Error("the pooler is gone"));
    const body = '{"command":"database.forget","input":{"database":"proj_a"}}';
    await expect(dispatch(handlers, body)).rejects.toThrow("the pooler is gone");
  });
});
