export const up = (knex) =>
  knex.schema.createTable("person", (table) => {
    table.increments("id");
    table.text("name").notNullable().index();
    table.jsonb("data");
  });

export const down = (knex) => knex.schema.dropTable("person");
