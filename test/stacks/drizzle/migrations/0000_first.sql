CREATE TABLE "account" (
	"id" integer PRIMARY KEY NOT NULL,
	"balance" integer NOT NULL,
	CONSTRAINT "balance_left" CHECK ("account"."balance" >= 0)
);
--> statement-breakpoint
CREATE TABLE "person" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "person_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	"tags" text[] NOT NULL,
	"data" jsonb,
	"made_at" timestamp with time zone DEFAULT now() NOT NULL
);
