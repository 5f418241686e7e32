export const up = (knex) =>
  knex.schema.createTable("account", (table) => {
    table.integer("id").primary();
    table.integer("balance").notNullable();
    table.check("balance >= 0");
  });

export const down = (knex) => knex.schema.dropTable("account");
