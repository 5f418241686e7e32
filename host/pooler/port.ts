import { createServer } from "node:net";

/**
 * Rejects with what to do when somebody else listens there: PgBouncer would go on without TCP.
 * `field` is the setting that says where.
 */
export function requireFreePort(address: string, port: number, field: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      const where = `${address} port ${port} (${error.code})`;
      const remedy = "stop what listens there or configure another";
      reject(new Error(`${field}: cannot listen on ${where}: ${remedy}.`));
    });
    server.listen(port, address, () => server.close(() => resolve()));
  });
}
